/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's multi interface for one transfer at a time: unlike the easy one it can be woken. */
#include "http/fetch.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "http/net.h"

#define HEADER_BYTES_MAX ((size_t)64 << 10)
#define TURN_MS 1000
#define USER_AGENT "sluice/" SLUICE_VERSION

struct fetcher {
    CURLM *multi;
    _Atomic bool stopped;
};

/* One transfer; lives on fetch()'s stack. */
struct transfer {
    CURL *easy;
    struct curl_slist *headers;
    struct buf head; /* the lines of the final answer's header */
    bool head_complete;
    bool too_large;
    struct buf *body;
    char why[CURL_ERROR_SIZE];
};

static void init_curl(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        abort();
    }
}

struct fetcher *fetcher_create(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, init_curl);
    struct fetcher *f = xcalloc(1, sizeof *f);
    f->multi = curl_multi_init();
    if (f->multi == NULL) {
        abort(); /* out of memory */
    }
    return f;
}

struct fetcher *fetcher_free(struct fetcher *f)
{
    if (f != NULL) {
        (void)curl_multi_cleanup(f->multi);
        free(f);
    }
    return NULL;
}

void fetcher_stop(struct fetcher *f)
{
    atomic_store(&f->stopped, true);
    (void)curl_multi_wakeup(f->multi);
}

/* ---------------------------------------------------------------------------------------------------- the URL */

static void curl_url_freep(CURLU **url)
{
    curl_url_cleanup(*url);
}

static void curl_textp(char **text)
{
    curl_free(*text);
}

static bool is_loopback(const char *host)
{
    static const uint8_t V4[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127};
    static const uint8_t V6[NET_BYTES] = {[15] = 1};
    uint8_t bytes[NET_BYTES];
    char bare[NET_TEXT_MAX];
    size_t n = strlen(host);
    if (n > 2 && host[0] == '[' && host[n - 1] == ']' && n < sizeof bare) { /* as URLs write IPv6 */
        memcpy(bare, host + 1, n - 2);
        bare[n - 2] = '\0';
        host = bare;
    }
    return net_bytes_of_text(host, bytes) && (memcmp(bytes, V4, sizeof V4) == 0 || memcmp(bytes, V6, sizeof V6) == 0);
}

static bool has_part(CURLU *url, CURLUPart part)
{
    CLEANUP(curl_textp) char *text = NULL;
    return curl_url_get(url, part, &text, 0) == CURLUE_OK;
}

enum rc fetch_url_check(const char *url, struct err *err)
{
    CLEANUP(curl_url_freep) CURLU *u = curl_url();
    CLEANUP(curl_textp) char *scheme = NULL;
    CLEANUP(curl_textp) char *host = NULL;
    if (strlen(url) > FETCH_URL_MAX || curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK) {
        FAIL(err, RC_REJECT, "not a URL; expected https://HOST[:PORT][/PATH]");
    }
    if (has_part(u, CURLUPART_USER) || has_part(u, CURLUPART_PASSWORD) || has_part(u, CURLUPART_FRAGMENT)) {
        FAIL(err, RC_REJECT, "a URL without user, password and fragment is expected");
    }
    if (strcmp(scheme, "https") != 0 && (strcmp(scheme, "http") != 0 || !is_loopback(host))) {
        FAIL(err, RC_REJECT, "expected https, or http to a loopback address such as 127.0.0.1");
    }
    return RC_OK;
}

/* ---------------------------------------------------------------------------------------------------- the answer */

/* Called for each line, the status line and the empty one included; again from the start after a 1xx. */
static size_t on_header(char *line, size_t size, size_t n, void *opaque)
{
    struct transfer *t = opaque;
    size_t bytes = size * n;
    if (bytes > 5 && memcmp(line, "HTTP/", 5) == 0 && !t->head_complete) {
        buf_clear(&t->head);
    } else if (bytes > 0 && bytes <= 2 && (line[0] == '\r' || line[0] == '\n')) {
        long status = 0;
        (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
        t->head_complete = status >= 200;
    } else if (!t->head_complete && !buf_add(&t->head, line, bytes)) { /* what follows the body is not looked at */
        t->too_large = true;
        return 0;
    }
    return bytes;
}

static size_t on_body(char *data, size_t size, size_t n, void *opaque)
{
    struct transfer *t = opaque;
    if (!buf_add(t->body, data, size * n)) {
        t->too_large = true;
        return 0;
    }
    return size * n;
}

/* ---------------------------------------------------------------------------------------------------- the transfer */

static bool set_headers(struct transfer *t, const struct fetch_request *r)
{
    for (size_t i = 0; i < r->n_headers; i++) {
        CLEANUP(freep) char *line = xasprintf("%s: %s", r->headers[i].name, r->headers[i].value);
        struct curl_slist *longer = curl_slist_append(t->headers, line);
        if (longer == NULL) {
            return false;
        }
        t->headers = longer;
    }
    struct curl_slist *longer = curl_slist_append(t->headers, "Expect:"); /* bodies are small: nobody is asked before */
    t->headers = longer == NULL ? t->headers : longer;
    return longer != NULL;
}

static CURLcode set_options(struct transfer *t, const struct fetch_request *r)
{
    CURL *c = t->easy;
    CURLcode failed = CURLE_OK;
#define SET(option, value) failed = failed != CURLE_OK ? failed : curl_easy_setopt(c, option, value)
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* a resolver thread that hangs is not waited for */
    SET(CURLOPT_PROTOCOLS_STR, "https,http");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NOPROXY, "*");
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_USERAGENT, USER_AGENT);
    SET(CURLOPT_URL, r->url);
    SET(CURLOPT_CUSTOMREQUEST, r->method);
    SET(CURLOPT_HTTPHEADER, t->headers);
    if (strcmp(r->method, "POST") == 0) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_n);
        SET(CURLOPT_POSTFIELDS, r->body_n == 0 ? "" : r->body);
    }
    SET(CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
    SET(CURLOPT_ERRORBUFFER, t->why);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, t);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, t);
#undef SET
    return failed;
}

/* Until it has ended or the fetcher is stopped. */
static enum rc perform(struct fetcher *f, CURLcode *out_result, struct err *err)
{
    for (;;) {
        int running = 0;
        int left = 0;
        CURLMcode failed = curl_multi_perform(f->multi, &running);
        if (failed == CURLM_OK && running > 0 && !atomic_load(&f->stopped)) {
            failed = curl_multi_poll(f->multi, NULL, 0, TURN_MS, NULL);
        }
        if (failed != CURLM_OK) {
            FAIL(err, RC_RETRY, "libcurl: %s", curl_multi_strerror(failed));
        }
        const CURLMsg *message = curl_multi_info_read(f->multi, &left);
        if (message != NULL && message->msg == CURLMSG_DONE) {
            *out_result = message->data.result;
            return RC_OK;
        }
        if (atomic_load(&f->stopped)) {
            FAIL(err, RC_RETRY, "stopped");
        }
    }
}

static enum rc run(struct fetcher *f, struct transfer *t, const struct fetch_request *r, struct fetch_answer *out,
                   struct err *err)
{
    CURLcode result = set_headers(t, r) ? set_options(t, r) : CURLE_OUT_OF_MEMORY;
    if (result != CURLE_OK || curl_multi_add_handle(f->multi, t->easy) != CURLM_OK) {
        FAIL(err, RC_FATAL, "libcurl: %s", curl_easy_strerror(result));
    }
    enum rc rc = perform(f, &result, err);
    (void)curl_multi_remove_handle(f->multi, t->easy);
    TRY(rc);
    if (t->too_large) {
        FAIL(err, RC_REJECT, "the answer is too large: at most %zu bytes of header and %zu of body are taken",
             t->head.max, t->body->max);
    }
    if (result != CURLE_OK) {
        FAIL(err, RC_RETRY, "%s", t->why[0] != '\0' ? t->why : curl_easy_strerror(result));
    }
    long status = 0;
    (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    out->status = (unsigned)status;
    return header_file_parse(buf_str(&t->head), t->head.len, &out->headers, err);
}

enum rc fetch(struct fetcher *f, const struct fetch_request *request, struct fetch_answer *out, struct err *err)
{
    *out = (struct fetch_answer){0};
    buf_init(&out->body, request->answer_bytes_max);
    TRY(fetch_url_check(request->url, err));
    struct transfer t = {.easy = curl_easy_init(), .body = &out->body};
    if (t.easy == NULL) {
        FAIL(err, RC_FATAL, "libcurl gives no handle");
    }
    buf_init(&t.head, HEADER_BYTES_MAX);
    enum rc rc = run(f, &t, request, out, err);
    curl_easy_cleanup(t.easy);
    curl_slist_free_all(t.headers);
    buf_done(&t.head);
    return rc;
}

void fetch_answer_done(struct fetch_answer *answer)
{
    header_file_done(&answer->headers);
    buf_done(&answer->body);
}
