/* SPDX-License-Identifier: Apache-2.0 */
/* What a finished call means. One table, no state. */
#ifndef SLUICE_SINK_HTTP_VERDICT_H
#define SLUICE_SINK_HTTP_VERDICT_H

#include <stdbool.h>

enum http_verdict {
    HTTP_OK,       /* answered 2xx */
    HTTP_RETRY,    /* the other side, or the way to it, failed: it counts as an attempt */
    HTTP_REJECT,   /* it can never work as it is: a refused address, a certificate of another name, 410 */
    HTTP_OUR_FAULT /* nothing was sent because of us: it does not count as an attempt */
};
const char *http_verdict_name(enum http_verdict verdict); /* static */

struct http_facts {
    int curl_code;        /* CURLcode */
    int status;           /* 0 = no complete answer header came */
    bool address_refused; /* the guard refused every address there was */
    bool begun;           /* the request was handed to a connection: whatever comes now, it was an attempt */
    bool no_descriptors;  /* no socket could be had */
    bool certificate_ok;  /* the chain was good; what was wrong then is the name */
};

struct http_meaning {
    enum http_verdict verdict;
    const char *class; /* static, low cardinality: "timeout", "dns", "http-5xx"; "ok" */
    bool slow_down;    /* the endpoint is overloaded, not only this call: 429, 502, 503, 504 */
};

/* An answer whose header is complete counts by its status, whatever happened to its body. */
struct http_meaning http_meaning_of(const struct http_facts *facts);

#endif
