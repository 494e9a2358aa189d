/* SPDX-License-Identifier: Apache-2.0 */
/* A service that speaks TLS, and the files it needs for that. The client is GnuTLS. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "service_rig.h"

#define PROXY_HEADER "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x07\x0a\0\0\1\x1f\x90\1\xbb"
#define GET "GET /show HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static char folder[] = "/tmp/sluice-tls.XXXXXX";
static char cert_path[64], key_path[64];
static struct tls_files files;
static struct service_limits limits;
static struct err err;

static enum call_next show(struct http_call *call, void *opaque)
{
    struct buf body;
    buf_init(&body, 100000);
    (void)opaque;
    (void)buf_printf(&body, "%s|%zu\n", call_address(call), call_body(call)->len);
    call_answer(call, 200, "text/plain", &body);
    return CALL_ANSWERED;
}

static const struct service_route ROUTES[] = {
    {.key = {"GET", "/show"}, .handle = show},
    {.key = {"POST", "/show"}, .handle = show, .body_bytes = 60000},
};

/* ---------------------------------------------------------------------------------------------------- files */

static X509 *certify(EVP_PKEY *key, long days)
{
    X509 *x = X509_new();
    X509_NAME *name = X509_get_subject_name(x);
    (void)X509_set_version(x, 2);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    (void)X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0);
    (void)X509_set_issuer_name(x, name);
    (void)X509_gmtime_adj(X509_getm_notBefore(x), -86400 * 10);
    (void)X509_gmtime_adj(X509_getm_notAfter(x), 86400 * days);
    (void)X509_set_pubkey(x, key);
    cr_assert_gt(X509_sign(x, key, EVP_sha256()), 0);
    return x;
}

/* Writes a new pair; the key with a passphrase where there is one. */
static void make(EVP_PKEY *key, long days, const char *passphrase)
{
    X509 *x = certify(key, days);
    FILE *f = fopen(cert_path, "w");
    cr_assert(PEM_write_X509(f, x) == 1 && fclose(f) == 0);
    (void)unlink(key_path);
    int fd = open(key_path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    f = fdopen(fd, "w");
    cr_assert_eq(PEM_write_PrivateKey(f, key, passphrase == NULL ? NULL : EVP_aes_256_cbc(), NULL, 0, NULL,
                                      (void *)(uintptr_t)passphrase),
                 1);
    cr_assert_eq(fclose(f), 0);
    X509_free(x);
    EVP_PKEY_free(key);
}

static void setup(void)
{
    limits = SERVICE_LIMITS_DEFAULT;
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(cert_path, sizeof cert_path, "%s/cert.pem", folder);
    (void)snprintf(key_path, sizeof key_path, "%s/key.pem", folder);
    make(EVP_EC_gen("P-256"), 90, NULL);
}

static void teardown(void)
{
    service = service_stop(service, 1000);
    tls_files_done(&files);
    (void)unlink(cert_path);
    (void)unlink(key_path);
    (void)rmdir(folder);
}

TestSuite(service_tls, .init = setup, .fini = teardown, .timeout = 60);

static void start(bool proxy_protocol)
{
    struct net_list nets;
    cr_assert_eq(net_list_parse("127.0.0.1", &nets, &err), RC_OK);
    cr_assert_eq(tls_files_read(cert_path, key_path, &files, &err), RC_OK, "%s", err.text);
    const struct service_options opt = {.address = "127.0.0.1:0",
                                        .routes = ROUTES,
                                        .n_routes = ARRAY_SIZE(ROUTES),
                                        .limits = limits,
                                        .proxies = &nets,
                                        .proxy_protocol = proxy_protocol,
                                        .tls = &files};
    cr_assert_eq(service_start(&opt, &service, &err), RC_OK, "%s", err.text);
    tls_files_done(&files); /* the service has taken what it needs */
}

/* ---------------------------------------------------------------------------------------------------- a client */

struct client {
    int fd;
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
};

/* The result of the handshake. */
static int meet(struct client *c, int fd, const char *priorities)
{
    int rc = 0;
    c->fd = fd;
    (void)gnutls_init(&c->session, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL);
    (void)gnutls_certificate_allocate_credentials(&c->credentials);
    cr_assert_eq(gnutls_priority_set_direct(c->session, priorities, NULL), 0);
    (void)gnutls_credentials_set(c->session, GNUTLS_CRD_CERTIFICATE, c->credentials);
    gnutls_transport_set_int(c->session, fd);
    gnutls_handshake_set_timeout(c->session, GNUTLS_DEFAULT_HANDSHAKE_TIMEOUT);
    do {
        rc = gnutls_handshake(c->session);
    } while (rc < 0 && gnutls_error_is_fatal(rc) == 0);
    return rc;
}

static void part(struct client *c)
{
    gnutls_deinit(c->session);
    gnutls_certificate_free_credentials(c->credentials);
    (void)close(c->fd);
}

static void tell(struct client *c, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t sent = gnutls_record_send(c->session, bytes, n);
        cr_assert_gt(sent, 0);
        bytes += sent;
        n -= (size_t)sent;
    }
}

/* Up to the end; NULL: what came was not TLS, or ended in the middle. */
static const char *listen_to(struct client *c)
{
    static char answer[16384];
    size_t n = 0;
    ssize_t got = 1;
    while (got > 0 && n < sizeof answer - 1) {
        got = gnutls_record_recv(c->session, answer + n, sizeof answer - 1 - n);
        n += got > 0 ? (size_t)got : 0;
    }
    answer[n] = '\0';
    return got < 0 && got != GNUTLS_E_PREMATURE_TERMINATION ? NULL : answer;
}

/* ---------------------------------------------------------------------------------------------------- the cases */

Test(service_tls, requests_are_answered_over_tls_and_plain_text_is_not)
{
    static const char *const versions[] = {"NORMAL:-VERS-ALL:+VERS-TLS1.3", "NORMAL:-VERS-ALL:+VERS-TLS1.2"};
    static char body[60000];
    struct client c;
    start(false);
    for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
        cr_assert_eq(meet(&c, dial(), versions[i]), 0);
        tell(&c, "GET /show HTTP/1.1\r\nHost: x\r\n\r\n", 31);
        static const char post[] =
            "POST /show HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 60000\r\n\r\n";
        tell(&c, post, sizeof post - 1);
        tell(&c, body, sizeof body);
        const char *answer = listen_to(&c);
        cr_assert_not_null(answer);
        has(answer, "\r\n\r\n127.0.0.1|0\n");
        has(answer, "\r\n\r\n127.0.0.1|60000\n");
        part(&c);
    }
    int fd = dial();
    say(fd, GET);
    cr_assert_null(strstr(hear(fd), "200 OK"));
}

Test(service_tls, nothing_older_than_1_2)
{
    static const char *const versions[] = {"NORMAL:-VERS-ALL:+VERS-TLS1.1", "NORMAL:-VERS-ALL:+VERS-TLS1.0"};
    struct client c;
    make(EVP_RSA_gen(2048), 90, NULL); /* an EC key alone would keep them out */
    start(false);
    cr_assert_eq(meet(&c, dial(), "NORMAL"), 0);
    part(&c);
    for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
        cr_expect_lt(meet(&c, dial(), versions[i]), 0);
        part(&c);
    }
    cr_expect_lt(meet(&c, dial(), "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA"), 0, "no forward secrecy");
    part(&c);
}

Test(service_tls, the_client_of_the_proxy_protocol_speaks_tls_behind_it)
{
    struct client c;
    start(true);
    int fd = dial();
    say_bytes(fd, PROXY_HEADER, sizeof PROXY_HEADER - 1);
    cr_assert_eq(meet(&c, fd, "NORMAL"), 0);
    tell(&c, GET, sizeof GET - 1);
    const char *answer = listen_to(&c);
    cr_assert_not_null(answer);
    has(answer, "\r\n\r\n203.0.113.7|0\n");
    part(&c);
}

/* The guard would say 408, and the bound of a chunked body 413, in plain text past the session. */
Test(service_tls, no_plain_text_gets_into_a_connection)
{
    static const char *const beginnings[] = {
        "", "GET /sh", "POST /show HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n"};
    static char many[61000];
    limits.request_ms = 300;
    start(false);
    for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++) {
        struct client c;
        cr_assert_eq(meet(&c, dial(), "NORMAL:-VERS-ALL:+VERS-TLS1.2"), 0);
        if (beginnings[i][0] != '\0') {
            tell(&c, beginnings[i], strlen(beginnings[i]));
        }
        if (i == 2) {
            tell(&c, many, sizeof many);
        }
        const char *answer = listen_to(&c);
        cr_expect_not_null(answer, "%zu: not TLS", i);
        cr_expect(answer == NULL || answer[0] == '\0', "%zu: %s", i, answer);
        part(&c);
    }
    int fd = dial(); /* no handshake at all */
    cr_expect_str_eq(hear(fd), "");
}

static void wrong(const char *what)
{
    tls_files_done(&files);
    cr_expect_eq(tls_files_read(cert_path, key_path, &files, &err), RC_FATAL, "expected: %s", what);
    cr_expect(err_is_config(&err));
    cr_expect_not_null(strstr(err.text, what), "expected \"%s\": %s", what, err.text);
}

static void append(const char *path, const char *text)
{
    FILE *f = fopen(path, "a");
    cr_assert(fputs(text, f) >= 0 && fclose(f) == 0);
}

Test(service_tls, files_that_are_wrong_are_named)
{
    cr_assert_eq(tls_files_read(cert_path, key_path, &files, &err), RC_OK, "%s", err.text);
    cr_expect_gt(files.expires_s, clock_utc_us() / 1000000 + 89 * 86400);
    cr_expect_lt(files.expires_s, clock_utc_us() / 1000000 + 91 * 86400);
    make(EVP_EC_gen("P-256"), -5, NULL);
    tls_files_done(&files);
    cr_assert_eq(tls_files_read(cert_path, key_path, &files, &err), RC_OK, "%s", err.text);
    cr_expect_lt(files.expires_s, clock_utc_us() / 1000000);
    (void)chmod(key_path, 0640);
    wrong("key.pem: readable by others than its owner");
    (void)chmod(key_path, 0604);
    wrong("key.pem: readable by others than its owner");
    make(EVP_EC_gen("P-256"), 90, "secret");
    wrong("key.pem: expected a private key in PEM form, not encrypted");
    make(EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024), 90, NULL);
    wrong("key.pem: the key is too short");
    make(EVP_EC_gen("P-256"), 90, NULL);
    append(cert_path, "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    wrong("cert.pem: expected certificates in PEM form");
    cr_assert_eq(truncate(cert_path, 0), 0);
    wrong("cert.pem: expected certificates in PEM form");
    (void)unlink(cert_path);
    wrong("cert.pem");
    char other[64];
    (void)snprintf(other, sizeof other, "%s/other.pem", folder);
    make(EVP_EC_gen("P-256"), 90, NULL);
    cr_assert_eq(rename(key_path, other), 0);
    wrong("key.pem");
    make(EVP_EC_gen("P-256"), 90, NULL);
    cr_assert_eq(rename(other, key_path), 0);
    wrong("key.pem: the key is not that of the certificate");
}
