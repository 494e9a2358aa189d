/* SPDX-License-Identifier: Apache-2.0 */
/* URLs, Retry-After and the table of verdicts. */
#include <criterion/criterion.h>
#include <curl/curl.h>
#include <string.h>

#include "base/mem.h"
#include "http/retry_after.h"
#include "http/target.h"
#include "http/verdict.h"

Test(target, what_is_called_and_what_is_refused)
{
    static const struct {
        const char *url;
        bool http;
        const char *want; /* the endpoint, or the reason */
    } rows[] = {
        {"https://example.com/a?b#c", false, "https://example.com:443"},
        {"HTTPS://Example.COM:8443", false, "https://example.com:8443"},
        {"http://example.com/", true, "http://example.com:80"},
        {"http://[::1]:8080/x", true, "http://[::1]:8080"},
        {"http://127.1/", true, "http://127.0.0.1:80"},
        {"http://0x7f000001/", true, "http://127.0.0.1:80"},
        {"http://2130706433/", true, "http://127.0.0.1:80"},
        {"http://example.com/", false, "url-plain-http"},
        {"ftp://example.com/", true, "url-scheme"},
        {"file:///etc/passwd", true, "url-scheme"},
        {"gopher://example.com/", true, "url-scheme"},
        {"javascript:alert(1)", true, "url-malformed"},
        {"https://user@example.com/", false, "url-userinfo"},
        {"https://user:secret@example.com/", false, "url-userinfo"},
        {"https://:@example.com/", false, "url-userinfo"},
        {"https://example.com:0/", false, "url-port"},
        {"https://example.com:65536/", false, "url-malformed"},
        {"https://example.com:x/", false, "url-malformed"},
        {"https:///path", false, "url-malformed"},
        {"https://", false, "url-malformed"},
        {"", false, "url-malformed"},
        {"example.com", false, "url-malformed"},
        {"/relative", false, "url-malformed"},
        {"not a url", false, "url-malformed"},
        {"https://exa mple.com/", false, "url-malformed"},
        {"https://example.com/\r\nX: 1", false, "url-malformed"},
        {"https://example.com\\@evil.com/", false, "url-malformed"},
        {"https://ex\xc3\xa4mple.com/", false, "url-malformed"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct err err = {0};
        struct target target = {0};
        enum rc rc = target_parse(rows[i].url, rows[i].http, &target, &err);
        bool is_endpoint = strstr(rows[i].want, "://") != NULL;
        cr_assert_eq(rc, is_endpoint ? RC_OK : RC_REJECT, "%s: %s", rows[i].url, err.text);
        cr_assert_str_eq(is_endpoint ? target.endpoint : err.code, rows[i].want, "%s", rows[i].url);
        cr_assert_null(strstr(err.text, "secret"));
    }
    struct err err = {0};
    struct target target;
    char url[TARGET_URL_BYTES_MAX + 2] = "https://example.com/";
    memset(url + 20, 'a', sizeof url - 21);
    url[sizeof url - 1] = '\0';
    cr_assert_eq(target_parse(url, false, &target, &err), RC_REJECT);
    cr_assert_str_eq(err.code, "url-too-long");
    url[TARGET_URL_BYTES_MAX] = '\0';
    cr_assert_eq(target_parse(url, false, &target, &err), RC_OK);
}

#define NOW 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */

Test(retry_after, seconds_dates_and_nonsense)
{
    static const struct {
        const char *value;
        int64_t want;
    } rows[] = {
        {"0", 0},
        {"1", 1000},
        {"120", 120000},
        {"0120", 120000},
        {"3600", 3600000},
        {"3601", 3600000},
        {"99999999999999999999999999999999", 3600000},
        {"Sun, 06 Nov 1994 08:50:37 GMT", 60000},
        {"Sunday, 06-Nov-94 08:50:37 GMT", 60000},
        {"Sun Nov  6 08:50:37 1994", 60000},
        {"Wed Nov 16 08:50:37 1994", 3600000},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 0},
        {"Sat, 05 Nov 1994 08:49:37 GMT", 0},
        {"Sunday, 06-Nov-60 08:50:37 GMT", 0},
        {"Sunday, 06-Nov-40 08:50:37 GMT", 3600000},
        {"Fri, 31 Dec 9999 23:59:59 GMT", 3600000},
        {"", -1},
        {"-1", -1},
        {"+1", -1},
        {"1.5", -1},
        {"1e3", -1},
        {" 1", -1},
        {"1 ", -1},
        {"soon", -1},
        {"Sun, 06 Nov 1994 08:50:37", -1},
        {"Sun, 06 Nov 1994 08:50:37 CET", -1},
        {"Sun, 06 Nov 1994 24:00:00 GMT", -1},
        {"Sun, 06 Nov 1994 08:60:00 GMT", -1},
        {"Wed, 30 Feb 1994 08:50:37 GMT", -1},
        {"Sun, 00 Nov 1994 08:50:37 GMT", -1},
        {"Sun, 06 Now 1994 08:50:37 GMT", -1},
        {"Sun, 06 Nov 1994 08:50:37 GMT ", -1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        cr_assert_eq(retry_after_ms(rows[i].value, NOW, 3600000), rows[i].want, "\"%s\": %lld", rows[i].value,
                     (long long)retry_after_ms(rows[i].value, NOW, 3600000));
    }
}

Test(verdict, every_status)
{
    for (int status = 100; status < 700; status++) {
        struct http_meaning m = http_meaning_of(&(struct http_facts){.status = status});
        enum http_verdict want = status >= 200 && status < 300 ? HTTP_OK : (status == 410 ? HTTP_REJECT : HTTP_RETRY);
        cr_assert_eq(m.verdict, want, "%d", status);
        cr_assert_not_null(m.class);
        bool slow = status == 429 || (status >= 502 && status <= 504);
        cr_assert_eq(m.slow_down, slow, "%d", status);
    }
}

/* What outlives one attempt is our fault or hopeless; anything else is tried again. */
Test(verdict, every_code_of_libcurl)
{
    static const int ours[] = {
        CURLE_FAILED_INIT,      CURLE_OUT_OF_MEMORY,         CURLE_COULDNT_RESOLVE_PROXY, CURLE_PROXY,
        CURLE_INTERFACE_FAILED, CURLE_BAD_FUNCTION_ARGUMENT, CURLE_SSL_CACERT_BADFILE,    CURLE_SSL_CERTPROBLEM,
        CURLE_SSL_CIPHER,       CURLE_SSL_ENGINE_NOTFOUND,   CURLE_ABORTED_BY_CALLBACK};
    for (int code = 1; code < CURL_LAST; code++) {
        enum http_verdict want = code == CURLE_URL_MALFORMAT ? HTTP_REJECT : HTTP_RETRY;
        for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
            want = code == ours[i] ? HTTP_OUR_FAULT : want;
        }
        struct http_meaning m = http_meaning_of(&(struct http_facts){.curl_code = code});
        cr_assert_eq(m.verdict, want, "%d %s: %s", code, curl_easy_strerror((CURLcode)code), m.class);
    }
}

Test(verdict, the_circumstances_count)
{
    static const struct {
        struct http_facts facts;
        enum http_verdict want;
        const char *class;
    } rows[] = {
        {{.curl_code = CURLE_COULDNT_RESOLVE_HOST}, HTTP_RETRY, "dns"},
        {{.curl_code = CURLE_COULDNT_CONNECT}, HTTP_RETRY, "connect"},
        {{.curl_code = CURLE_COULDNT_CONNECT, .address_refused = true}, HTTP_REJECT, "address-refused"},
        {{.curl_code = CURLE_COULDNT_CONNECT, .no_descriptors = true}, HTTP_OUR_FAULT, "no-descriptors"},
        {{.curl_code = CURLE_OPERATION_TIMEDOUT, .address_refused = true}, HTTP_RETRY, "timeout"},
        {{.curl_code = CURLE_OPERATION_TIMEDOUT}, HTTP_RETRY, "timeout"},
        {{.curl_code = CURLE_OPERATION_TIMEDOUT, .status = 200}, HTTP_OK, "ok"},
        {{.curl_code = CURLE_WRITE_ERROR, .status = 200}, HTTP_OK, "ok"},
        {{.curl_code = CURLE_WRITE_ERROR, .status = 500}, HTTP_RETRY, "http-5xx"},
        {{.curl_code = CURLE_WRITE_ERROR}, HTTP_RETRY, "header-too-large"},
        {{.curl_code = CURLE_PEER_FAILED_VERIFICATION}, HTTP_RETRY, "tls-certificate"},
        {{.curl_code = CURLE_PEER_FAILED_VERIFICATION, .certificate_ok = true}, HTTP_REJECT, "tls-name"},
        {{.curl_code = CURLE_OK, .status = 302}, HTTP_RETRY, "http-redirect"},
        {{.curl_code = CURLE_OK, .status = 418}, HTTP_RETRY, "http-4xx"},
        {{.curl_code = CURLE_OK}, HTTP_RETRY, "not-http"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct http_meaning m = http_meaning_of(&rows[i].facts);
        cr_assert_eq(m.verdict, rows[i].want, "row %zu", i);
        cr_assert_str_eq(m.class, rows[i].class, "row %zu", i);
    }
    cr_assert_str_eq(http_verdict_name(HTTP_OUR_FAULT), "our-fault");
}
