/* SPDX-License-Identifier: Apache-2.0 */
/* The client for one request, against a server that behaves and misbehaves. */
#include "http/fetch.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "support/stand_in.h"

static struct stand_in *server;
static struct fetcher *fetcher;
static struct err err;
static char url[128];
static char seen[4096]; /* the last request */

/* What is sent, and then. */
static struct {
    char bytes[4096];
    size_t n;
    enum stand_in_end end;
} script;

static enum stand_in_end play(void *opaque, const char *request, struct buf *bytes)
{
    (void)opaque;
    (void)snprintf(seen, sizeof seen, "%s", request);
    cr_assert(buf_add(bytes, script.bytes, script.n));
    return script.end;
}

static void says(const char *bytes, enum stand_in_end end)
{
    script.n = strlen(bytes);
    memcpy(script.bytes, bytes, script.n);
    script.end = end;
}

static void setup(void)
{
    server = stand_in_start(play, NULL);
    fetcher = fetcher_create();
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/v3/certificates", stand_in_port(server));
    says("HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 2\r\n\r\n{}", STAND_IN_CLOSE);
}

static void teardown(void)
{
    fetcher = fetcher_free(fetcher);
    server = stand_in_stop(server);
}

TestSuite(fetch, .init = setup, .fini = teardown);

static struct fetch_request get(void)
{
    return (struct fetch_request){.method = "GET", .url = url, .timeout_ms = 20000, .answer_bytes_max = 64};
}

static enum rc try(struct fetch_request request)
{
    struct fetch_answer answer;
    enum rc rc = fetch(fetcher, &request, &answer, &err);
    fetch_answer_done(&answer);
    return rc;
}

Test(fetch, gives_status_headers_and_body)
{
    struct fetch_request request = get();
    struct fetch_answer answer;
    const struct header_line lines[] = {{"Authorization", "WECHATPAY2-SHA256-RSA2048 mchid=\"1\""}, {"Accept", "a/b"}};
    request.headers = lines;
    request.n_headers = 2;
    cr_assert_eq(fetch(fetcher, &request, &answer, &err), RC_OK, "%s", err.text);
    cr_expect_eq(answer.status, 200);
    cr_expect_str_eq(header_file_get(&answer.headers, "x-a", NULL), "1");
    cr_expect_str_eq(buf_str(&answer.body), "{}");
    cr_expect(strncmp(seen, "GET /v3/certificates HTTP/1.1\r\n", 31) == 0, "%s", seen);
    cr_expect_not_null(strstr(seen, "\r\nAuthorization: WECHATPAY2-SHA256-RSA2048 mchid=\"1\"\r\n"));
    cr_expect_not_null(strstr(seen, "\r\nAccept: a/b\r\n"));
    cr_expect_null(strstr(seen, "Accept-Encoding"), "nothing is to be decompressed");
    fetch_answer_done(&answer);
}

Test(fetch, sends_a_body)
{
    struct fetch_request request = get();
    request.method = "POST";
    request.body = "a=b";
    request.body_n = 3;
    cr_assert_eq(try(request), RC_OK, "%s", err.text);
    cr_expect(strncmp(seen, "POST ", 5) == 0);
    cr_expect_not_null(strstr(seen, "\r\n\r\na=b"));
}

Test(fetch, follows_no_redirect)
{
    struct fetch_answer answer;
    char text[256];
    (void)snprintf(text, sizeof text, "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", url);
    says(text, STAND_IN_CLOSE);
    struct fetch_request request = get();
    cr_assert_eq(fetch(fetcher, &request, &answer, &err), RC_OK);
    cr_expect_eq(answer.status, 302);
    fetch_answer_done(&answer);
    cr_expect_eq(stand_in_requests(server), 1);
}

Test(fetch, takes_no_answer_that_is_not_whole)
{
    says("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"da", STAND_IN_CLOSE);
    cr_expect_eq(try(get()), RC_RETRY, "cut off");
    says("", STAND_IN_CLOSE);
    cr_expect_eq(try(get()), RC_RETRY, "closed without a word");
    says("SSH-2.0-x\r\n\r\n", STAND_IN_CLOSE);
    cr_expect_eq(try(get()), RC_RETRY, "not HTTP");
}

Test(fetch, takes_no_more_than_asked_for)
{
    says("HTTP/1.1 200 OK\r\n\r\n", STAND_IN_ENDLESS);
    cr_expect_eq(try(get()), RC_REJECT, "a body without end");
    cr_expect_not_null(strstr(err.text, "64 of body"), "%s", err.text);
    says("HTTP/1.1 200 OK\r\nX-A: ", STAND_IN_ENDLESS);
    cr_expect_neq(try(get()), RC_OK, "a header without end");
    says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n", STAND_IN_ENDLESS);
    cr_expect_eq(try(get()), RC_REJECT, "chunks");
}

Test(fetch, waits_no_longer_than_asked_for)
{
    says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{", STAND_IN_HANG);
    struct fetch_request request = get();
    request.timeout_ms = 50;
    cr_expect_eq(try(request), RC_RETRY);
}

static void *stop_later(void *unused)
{
    (void)unused;
    cr_assert(stand_in_wait(server, 1));
    fetcher_stop(fetcher);
    return NULL;
}

Test(fetch, ends_when_it_is_stopped)
{
    pthread_t thread;
    says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{", STAND_IN_HANG);
    struct fetch_request request = get();
    request.timeout_ms = 600000;
    cr_assert_eq(pthread_create(&thread, NULL, stop_later, NULL), 0);
    cr_expect_eq(try(request), RC_RETRY);
    cr_expect_str_eq(err.text, "stopped");
    (void)pthread_join(thread, NULL);
    cr_expect_eq(try(request), RC_RETRY, "for ever");
}

/* ---------------------------------------------------------------------------------------------------- TLS */

static SSL_CTX *make_tls(void)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    X509_NAME *name = X509_get_subject_name(certificate);
    (void)X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"127.0.0.1", -1, -1, 0);
    (void)X509_set_issuer_name(certificate, name);
    (void)X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    (void)X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    (void)X509_set_pubkey(certificate, key);
    cr_assert_gt(X509_sign(certificate, key, EVP_sha256()), 0);
    cr_assert_eq(SSL_CTX_use_certificate(tls, certificate), 1);
    cr_assert_eq(SSL_CTX_use_PrivateKey(tls, key), 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return tls;
}

static int tls_listener;

/* One connection; answers whoever takes its certificate. */
static void *serve_tls(void *opaque)
{
    char request[4096];
    int fd = accept(tls_listener, NULL, NULL);
    SSL *ssl = SSL_new(opaque);
    (void)SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1 && SSL_read(ssl, request, sizeof request) > 0) {
        (void)SSL_write(ssl, script.bytes, (int)script.n);
        (void)SSL_shutdown(ssl);
    }
    SSL_free(ssl);
    (void)close(fd);
    return NULL;
}

Test(fetch, believes_no_certificate_of_an_unknown_issuer)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof at;
    SSL_CTX *tls = make_tls();
    pthread_t thread;
    char text[128];
    tls_listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(tls_listener, (struct sockaddr *)&at, sizeof at), 0);
    cr_assert_eq(listen(tls_listener, 1), 0);
    cr_assert_eq(getsockname(tls_listener, (struct sockaddr *)&at, &n), 0);
    cr_assert_eq(pthread_create(&thread, NULL, serve_tls, tls), 0);
    (void)snprintf(text, sizeof text, "https://127.0.0.1:%d/", ntohs(at.sin_port));
    struct fetch_request request = get();
    request.url = text;
    cr_expect_eq(try(request), RC_RETRY);
    cr_expect_not_null(strstr(err.text, "certificate"), "%s", err.text);
    (void)pthread_join(thread, NULL);
    (void)close(tls_listener);
    SSL_CTX_free(tls);
}

Test(fetch, knows_urls)
{
    static const struct {
        const char *url;
        bool ok;
    } CASES[] = {
        {"https://api.mch.weixin.qq.com", true},
        {"https://api.mch.weixin.qq.com:8443/a?b=c", true},
        {"http://127.0.0.1:80/", true},
        {"http://127.9.9.9", true},
        {"http://[::1]:80/", true},
        {"http://api.mch.weixin.qq.com", false},
        {"http://localhost/", false},
        {"http://10.0.0.1/", false},
        {"http://127.0.0.1.example.org/", false},
        {"http://[::2]/", false},
        {"https://user@host/", false},
        {"https://user:pass@host/", false},
        {"https://host/#a", false},
        {"file:///etc/passwd", false},
        {"ftp://host/", false},
        {"//host/", false},
        {"api.mch.weixin.qq.com", false},
        {"", false},
        {"https://", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        cr_expect_eq(fetch_url_check(CASES[i].url, &err) == RC_OK, CASES[i].ok, "%s", CASES[i].url);
    }
}
