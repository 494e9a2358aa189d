/* SPDX-License-Identifier: Apache-2.0 */
/* One transfer: its options, the guard at its socket, what is kept of the answer, and what that means. */
#include <errno.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/engine_internal.h"
#include "http/retry_after.h"

#define ANSWER_HEADER_BYTES_MAX ((size_t)64 << 10)
#define CONNECTION_SECONDS_MAX 300L
#define RETRY_AFTER_CAP_MS (3600 * 1000)
#define FIRST_LARGE_BYTES ((size_t)8 << 10)
#define USER_AGENT "sluice/" SLUICE_VERSION

static curl_socket_t on_open_socket(void *opaque, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct http_call *call = opaque;
    char text[ADDRESS_TEXT_MAX];
    if (purpose != CURLSOCKTYPE_IPCXN) {
        return CURL_SOCKET_BAD;
    }
    (void)address_text(&address->addr, text);
    if (!address_allowed(&call->engine->opt.nets, &address->addr)) {
        call->address_refused = true;
        (void)snprintf(call->refused, sizeof call->refused, "%s (%s)", text,
                       address_class_name(address_classify(&address->addr)));
        return CURL_SOCKET_BAD;
    }
    (void)snprintf(call->address, sizeof call->address, "%s", text);
    call->address_tried = true;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0) {
        call->no_descriptors = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
        return CURL_SOCKET_BAD;
    }
    call->opened = true;
    return fd;
}

/*
 * libcurl sends a request again by itself when a connection that was used before is closed without an answer. The
 * other side may have acted on it: a second request is a second attempt, which is not ours to make unrecorded.
 */
static int on_request(void *opaque, char *peer, char *own, int peer_port, int own_port)
{
    struct http_call *call = opaque;
    (void)peer;
    (void)own;
    (void)peer_port;
    (void)own_port;
    if (call->begun) {
        return CURL_PREREQFUNC_ABORT;
    }
    call->begun = true;
    return CURL_PREREQFUNC_OK;
}

static int on_close_socket(void *opaque, curl_socket_t fd)
{
    watch_close(opaque, fd);
    return close(fd);
}

static char *body_of(const struct http_call *call)
{
    return call->large != NULL ? call->large : (char *)(uintptr_t)call->body;
}

/* Where the next bytes of the body go: there is room for n of them and a NUL. */
static char *make_room(struct http_call *call, size_t n)
{
    size_t need = call->body_n + n + 1;
    if (call->kept_max > HTTP_ENGINE_BODY_KEPT && need > call->large_cap) {
        size_t cap = call->large_cap < FIRST_LARGE_BYTES ? FIRST_LARGE_BYTES : 2 * call->large_cap;
        call->large_cap = cap < need ? need : cap;
        call->large = xrealloc(call->large, call->large_cap);
    }
    return body_of(call) + call->body_n;
}

static size_t on_body(char *data, size_t size, size_t n, void *opaque)
{
    struct http_call *call = opaque;
    size_t bytes = size * n;
    size_t room = call->kept_max - call->body_n;
    size_t kept = bytes < room ? bytes : room;
    if (bytes > call->body_bytes_max - call->body_bytes) {
        return 0; /* CURLE_WRITE_ERROR, and the connection is closed */
    }
    char *at = make_room(call, kept);
    memcpy(at, data, kept);
    at[kept] = '\0';
    call->body_n += kept;
    call->body_bytes += bytes;
    return bytes;
}

static void note_retry_after(struct http_call *call, const char *line, size_t n)
{
    static const char name[] = "retry-after:";
    size_t skip = sizeof name - 1;
    if (n <= skip || strncasecmp(line, name, skip) != 0) {
        return;
    }
    while (skip < n && (line[skip] == ' ' || line[skip] == '\t')) {
        skip++;
    }
    while (n > skip && (unsigned char)line[n - 1] <= ' ') {
        n--;
    }
    size_t length = n - skip;
    call->retry_after[0] = '\0';
    if (length < sizeof call->retry_after) {
        memcpy(call->retry_after, line + skip, length);
        call->retry_after[length] = '\0';
    }
}

/* Called for each line, the status line and the empty one included; again from the start after a 1xx. */
static size_t on_header(char *line, size_t size, size_t n, void *opaque)
{
    struct http_call *call = opaque;
    size_t bytes = size * n;
    call->header_bytes += bytes;
    if (call->header_bytes > ANSWER_HEADER_BYTES_MAX) {
        return 0;
    }
    if (bytes > 5 && memcmp(line, "HTTP/", 5) == 0 && !call->header_complete) {
        call->retry_after[0] = '\0';
    } else if (bytes > 0 && bytes <= 2 && (line[0] == '\r' || line[0] == '\n')) {
        long status = 0;
        (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
        call->header_complete = status >= 200;
    } else if (!call->header_complete) {
        note_retry_after(call, line, bytes);
    }
    return bytes;
}

/* What is the same for all calls with this handle. */
static CURLcode set_fixed(struct http_call *call)
{
    CURL *c = call->easy;
    const struct http_engine_options *opt = &call->engine->opt;
    CURLcode failed = CURLE_OK;
#define SET(option, value) failed = failed != CURLE_OK ? failed : curl_easy_setopt(c, option, value)
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* a resolver thread that hangs is not waited for */
    SET(CURLOPT_PROTOCOLS_STR, opt->allow_http ? "https,http" : "https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NOPROXY, "*");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_MAXLIFETIME_CONN, CONNECTION_SECONDS_MAX);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_USERAGENT, USER_AGENT);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    SET(CURLOPT_PREREQFUNCTION, on_request);
    SET(CURLOPT_PREREQDATA, call);
    SET(CURLOPT_OPENSOCKETDATA, call);
    SET(CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    SET(CURLOPT_CLOSESOCKETDATA, call->engine); /* the connection outlives the call */
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, call);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, call);
    SET(CURLOPT_PRIVATE, call);
    SET(CURLOPT_ERRORBUFFER, call->curl_error);
    SET(CURLOPT_POST, 1L);
    if (call->engine->ca_file != NULL) {
        SET(CURLOPT_CAINFO, call->engine->ca_file);
    }
    return failed;
}

static long version_of(const struct http_call_spec *spec)
{
    bool plain = strncasecmp(spec->url, "http:", 5) == 0;
    if (spec->version == HTTP_VERSION_1 || (plain && spec->version == HTTP_VERSION_2_IF_OFFERED)) {
        return (long)CURL_HTTP_VERSION_1_1;
    }
    return plain ? (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE : (long)CURL_HTTP_VERSION_2TLS;
}

static CURLcode set_own(struct http_call *call, const struct http_call_spec *spec)
{
    CURL *c = call->easy;
    int64_t connect_ms = call->engine->opt.connect_timeout_ms;
    CURLcode failed = CURLE_OK;
    SET(CURLOPT_URL, spec->url);
    SET(CURLOPT_HTTP_VERSION, version_of(spec));
    SET(CURLOPT_PIPEWAIT, spec->version == HTTP_VERSION_1 ? 0L : 1L); /* rather a place than one more connection */
    SET(CURLOPT_HTTPHEADER, call->lines.nodes);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)spec->body_n);
    SET(CURLOPT_POSTFIELDS, spec->body_n == 0 ? "" : spec->body);
    SET(CURLOPT_TIMEOUT_MS, (long)spec->timeout_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS,
        (long)(connect_ms > 0 && connect_ms < spec->timeout_ms ? connect_ms : spec->timeout_ms));
    return failed;
#undef SET
}

enum rc transfer_create(struct http_engine *engine, struct http_call **out_call, struct err *err)
{
    struct http_call *call = xcalloc(1, sizeof *call);
    call->engine = engine;
    call->easy = curl_easy_init();
    CURLcode failed = call->easy == NULL ? CURLE_FAILED_INIT : set_fixed(call);
    if (failed != CURLE_OK) {
        transfer_free(call);
        FAIL(err, RC_FATAL, "libcurl: %s", curl_easy_strerror(failed));
    }
    *out_call = call;
    return RC_OK;
}

void transfer_free(struct http_call *call)
{
    if (call->easy != NULL) {
        curl_easy_cleanup(call->easy);
    }
    free(call->lines.text);
    free(call->large);
    free(call);
}

void transfer_clear(struct http_call *call)
{
    (void)curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, NULL);
    (void)curl_easy_setopt(call->easy, CURLOPT_POSTFIELDS, NULL);
    header_lines_trim(&call->lines);
    call->header_complete = false;
    call->header_bytes = 0;
    call->body_bytes = 0;
    call->body_n = 0;
    call->body[0] = '\0';
    free(call->large); /* answers with tokens go this way, too; and the pool stays small */
    call->large = NULL;
    call->large_cap = 0;
    call->retry_after[0] = '\0';
    call->opened = false;
    call->address_tried = false;
    call->begun = false;
    call->address_refused = false;
    call->no_descriptors = false;
    call->refused[0] = '\0';
    call->address[0] = '\0';
    call->curl_error[0] = '\0';
}

enum rc transfer_prepare(struct http_call *call, const struct http_call_spec *spec, struct err *err)
{
    TRY(header_lines_make(&call->lines, spec->headers, spec->n_headers, err));
    CURLcode failed = set_own(call, spec);
    if (failed != CURLE_OK) {
        FAIL(err, RC_FATAL, "libcurl: %s", curl_easy_strerror(failed));
    }
    call->body_bytes_max = spec->response_bytes_max;
    call->kept_max = spec->body_kept > 0 ? spec->body_kept : HTTP_ENGINE_BODY_KEPT;
    return RC_OK;
}

static void write_message(const struct http_call *call, CURLcode code, const struct http_result *result, char *message)
{
    const char *why = call->curl_error[0] != '\0' ? call->curl_error : curl_easy_strerror(code);
    message[0] = '\0';
    if (result->meaning.verdict == HTTP_OK) {
        return;
    }
    if (result->status > 0) {
        (void)snprintf(message, HTTP_ENGINE_MESSAGE_MAX, "HTTP %d%s%.160s", result->status,
                       call->body_n > 0 ? ": " : "", body_of(call));
    } else if (call->begun && code == CURLE_ABORTED_BY_CALLBACK) {
        (void)snprintf(message, HTTP_ENGINE_MESSAGE_MAX, "the connection was closed without an answer");
    } else if (call->address_refused && result->meaning.verdict == HTTP_REJECT) {
        (void)snprintf(message, HTTP_ENGINE_MESSAGE_MAX, "the address %s must not be called", call->refused);
    } else {
        (void)snprintf(message, HTTP_ENGINE_MESSAGE_MAX, "%.300s", why);
    }
    size_t n = 0;
    for (; message[n] != '\0'; n++) {
        message[n] = (unsigned char)message[n] < 0x20 || message[n] == 0x7f ? ' ' : message[n];
    }
    for (; n > 0 && message[n - 1] == ' '; n--) { /* bodies often end in a newline */
        message[n - 1] = '\0';
    }
}

void transfer_result(const struct http_call *call, CURLcode code, char *message, struct http_result *out)
{
    long status = 0;
    long verified = X509_V_OK;
    (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(call->easy, CURLINFO_SSL_VERIFYRESULT, &verified);
    const char *peer = NULL; /* of a connection used again: no socket was opened for this call */
    (void)curl_easy_getinfo(call->easy, CURLINFO_PRIMARY_IP, &peer);
    int64_t cap_ms =
        call->engine->opt.retry_after_cap_ms > 0 ? call->engine->opt.retry_after_cap_ms : RETRY_AFTER_CAP_MS;
    const struct http_facts facts = {
        .curl_code = (int)code,
        .status = call->header_complete ? (int)status : 0,
        .address_refused = call->address_refused && !call->address_tried,
        .begun = call->begun,
        .no_descriptors = call->no_descriptors,
        .certificate_ok = verified == X509_V_OK,
    };
    *out = (struct http_result){
        .meaning = http_meaning_of(&facts),
        .status = facts.status,
        .retry_after_ms =
            call->retry_after[0] == '\0' ? -1 : retry_after_ms(call->retry_after, clock_utc_ms() / 1000, cap_ms),
        .duration_ms = clock_mono_ms() - call->began_ms,
        .body = body_of(call),
        .body_n = call->body_n,
        .body_cut = facts.status > 0 && code != CURLE_OK,
        .message = message,
        .address = call->address[0] == '\0' && peer != NULL ? peer : call->address,
    };
    write_message(call, code, out, message);
}
