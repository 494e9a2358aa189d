/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request to a server outside, waited for: what a thread that has nothing else to do asks with. Everything is
 * bounded: the time, the answer's header, its body. TLS certificates are checked; redirects are not followed, nothing
 * is decompressed, no proxy and no cookie is used.
 *
 * Thread: a fetcher is one thread's; fetcher_stop() from any.
 */
#ifndef SLUICE_HTTP_FETCH_H
#define SLUICE_HTTP_FETCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "http/header_file.h"

#define FETCH_URL_MAX 2048

struct fetch_request {
    const char *method; /* "GET", "POST" */
    const char *url;
    const struct header_line *headers;
    size_t n_headers;
    const void *body; /* of a POST */
    size_t body_n;
    int64_t timeout_ms;      /* from the first step to the last byte */
    size_t answer_bytes_max; /* of the body */
};

struct fetch_answer {
    unsigned status;
    struct header_file headers;
    struct buf body;
};

struct fetcher;

/* Never NULL. */
struct fetcher *fetcher_create(void) MUST_USE;
struct fetcher *fetcher_free(struct fetcher *f); /* accepts NULL, returns NULL */
/* What is being fetched ends at once with RETRY, and so does whatever is asked for later. */
void fetcher_stop(struct fetcher *f);

/* REJECT: neither https nor http to a loopback address written as a number, or user, password or fragment in it. */
enum rc fetch_url_check(const char *url, struct err *err) MUST_USE;

/*
 * RETRY: there is no whole answer (nobody there, cut off, too slow, certificate refused). REJECT: the URL is not one
 * that fetch_url_check() likes, or the answer is too large. *out is initialised in any case: say fetch_answer_done().
 */
enum rc fetch(struct fetcher *f, const struct fetch_request *request, struct fetch_answer *out,
              struct err *err) MUST_USE;
void fetch_answer_done(struct fetch_answer *answer);

#endif
