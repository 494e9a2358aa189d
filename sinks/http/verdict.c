/* SPDX-License-Identifier: Apache-2.0 */
/* From status and error code to verdict. */
#include "http/verdict.h"

#include <curl/curl.h>
#include <stddef.h>

#include "base/mem.h"

static const struct {
    int from, to;
    struct http_meaning meaning;
} STATUSES[] = {
    {200, 299, {HTTP_OK, "ok", false}},
    {300, 399, {HTTP_RETRY, "http-redirect", false}}, /* never followed: the other place was not vetted */
    {408, 408, {HTTP_RETRY, "http-408", false}},
    {410, 410, {HTTP_REJECT, "http-410", false}}, /* the endpoint says that it is gone for good */
    {425, 425, {HTTP_RETRY, "http-425", false}},
    {429, 429, {HTTP_RETRY, "http-429", true}},
    {400, 499, {HTTP_RETRY, "http-4xx", false}},
    {502, 504, {HTTP_RETRY, "http-5xx", true}},
    {500, 599, {HTTP_RETRY, "http-5xx", false}},
};

static const struct {
    CURLcode code;
    struct http_meaning meaning;
} CODES[] = {
    {CURLE_COULDNT_RESOLVE_HOST, {HTTP_RETRY, "dns", false}},
    {CURLE_COULDNT_CONNECT, {HTTP_RETRY, "connect", false}},
    {CURLE_OPERATION_TIMEDOUT, {HTTP_RETRY, "timeout", false}},
    {CURLE_GOT_NOTHING, {HTTP_RETRY, "no-answer", false}},
    {CURLE_SEND_ERROR, {HTTP_RETRY, "reset", false}},
    {CURLE_RECV_ERROR, {HTTP_RETRY, "reset", false}},
    {CURLE_PARTIAL_FILE, {HTTP_RETRY, "reset", false}},
    {CURLE_SSL_CONNECT_ERROR, {HTTP_RETRY, "tls", false}},
    {CURLE_PEER_FAILED_VERIFICATION, {HTTP_RETRY, "tls-certificate", false}},
    {CURLE_SSL_ISSUER_ERROR, {HTTP_RETRY, "tls-certificate", false}},
    {CURLE_SSL_INVALIDCERTSTATUS, {HTTP_RETRY, "tls-certificate", false}},
    {CURLE_WRITE_ERROR, {HTTP_RETRY, "header-too-large", false}}, /* with a complete header the status counts */
    {CURLE_WEIRD_SERVER_REPLY, {HTTP_RETRY, "not-http", false}},
    {CURLE_UNSUPPORTED_PROTOCOL, {HTTP_RETRY, "not-http", false}}, /* HTTP/0.9; schemes were checked before */
    {CURLE_HTTP2, {HTTP_RETRY, "not-http", false}},
    {CURLE_URL_MALFORMAT, {HTTP_REJECT, "url-malformed", false}},
    {CURLE_FAILED_INIT, {HTTP_OUR_FAULT, "local", false}},
    {CURLE_OUT_OF_MEMORY, {HTTP_OUR_FAULT, "local", false}},
    {CURLE_COULDNT_RESOLVE_PROXY, {HTTP_OUR_FAULT, "local", false}},
    {CURLE_PROXY, {HTTP_OUR_FAULT, "local", false}},
    {CURLE_INTERFACE_FAILED, {HTTP_OUR_FAULT, "local", false}},
    {CURLE_BAD_FUNCTION_ARGUMENT, {HTTP_OUR_FAULT, "local", false}},
    {CURLE_SSL_CACERT_BADFILE, {HTTP_OUR_FAULT, "local", false}},
    {CURLE_SSL_CERTPROBLEM, {HTTP_OUR_FAULT, "local", false}},
    {CURLE_SSL_CIPHER, {HTTP_OUR_FAULT, "local", false}},
    {CURLE_SSL_ENGINE_NOTFOUND, {HTTP_OUR_FAULT, "local", false}},
    {CURLE_ABORTED_BY_CALLBACK, {HTTP_OUR_FAULT, "local", false}},
};

const char *http_verdict_name(enum http_verdict verdict)
{
    static const char *const names[] = {"ok", "retry", "reject", "our-fault"};
    return (size_t)verdict < ARRAY_SIZE(names) ? names[verdict] : "unknown";
}

static struct http_meaning of_code(const struct http_facts *facts)
{
    if (facts->curl_code == CURLE_COULDNT_CONNECT && facts->address_refused) {
        return (struct http_meaning){HTTP_REJECT, "address-refused", false};
    }
    if (facts->curl_code == CURLE_COULDNT_CONNECT && facts->no_descriptors) {
        return (struct http_meaning){HTTP_OUR_FAULT, "no-descriptors", false};
    }
    if (facts->curl_code == CURLE_PEER_FAILED_VERIFICATION && facts->certificate_ok) {
        return (struct http_meaning){HTTP_REJECT, "tls-name", false};
    }
    if (facts->begun && facts->curl_code == CURLE_ABORTED_BY_CALLBACK) {
        return (struct http_meaning){HTTP_RETRY, "reset", false}; /* instead of being sent twice */
    }
    if (facts->begun && facts->curl_code == CURLE_OUT_OF_MEMORY) {
        return (struct http_meaning){HTTP_RETRY, "header-too-large", false}; /* so libcurl calls an endless line */
    }
    for (size_t i = 0; i < ARRAY_SIZE(CODES); i++) {
        if ((int)CODES[i].code == facts->curl_code && (!facts->begun || CODES[i].meaning.verdict != HTTP_OUR_FAULT)) {
            return CODES[i].meaning;
        }
    }
    return (struct http_meaning){HTTP_RETRY, "transport", false};
}

struct http_meaning http_meaning_of(const struct http_facts *facts)
{
    for (size_t i = 0; i < ARRAY_SIZE(STATUSES) && facts->status > 0; i++) {
        if (facts->status >= STATUSES[i].from && facts->status <= STATUSES[i].to) {
            return STATUSES[i].meaning;
        }
    }
    bool odd = facts->status > 0 || facts->curl_code == CURLE_OK;
    return odd ? (struct http_meaning){HTTP_RETRY, "not-http", false} : of_code(facts);
}
