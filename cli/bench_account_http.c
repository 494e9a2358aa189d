/* SPDX-License-Identifier: Apache-2.0 */
/* Services that ask over HTTP and wait for the result: gateway, relay and account together, requests at a fixed rate.
 */
#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bench_account.h"

#define IN_FLIGHT_MAX 2000
#define TIMEOUT_MS 15000L
#define LAST_MS 20000
#define PREFER "Prefer: wait=10"
#define BODY_MAX 512

struct call {
    CURL *easy; /* made when it is first needed, then used again */
    int64_t number;
    char body[BODY_MAX];
};

struct http_run {
    struct account_bench *b;
    CURLM *multi;
    struct curl_slist *headers;
    char url[BENCH_TARGET_MAX + 32];
    struct bench_stamps stamps;
    struct call *calls;
    size_t *idle; /* a stack of free ones */
    size_t n_idle;
    int64_t sent, done;
};

static size_t on_body(char *data, size_t size, size_t n, void *opaque)
{
    (void)data;
    (void)opaque;
    return size * n;
}

static enum rc make(struct http_run *h, struct call *c, struct err *err)
{
    c->easy = curl_easy_init();
    if (c->easy == NULL) {
        FAIL(err, RC_FATAL, "libcurl is out of memory");
    }
    (void)curl_easy_setopt(c->easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(c->easy, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(c->easy, CURLOPT_URL, h->url);
    (void)curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, h->headers);
    (void)curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(c->easy, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
    (void)curl_easy_setopt(c->easy, CURLOPT_PRIVATE, c);
    return RC_OK;
}

static enum rc send_one(struct http_run *h, struct err *err)
{
    struct call *c = &h->calls[h->idle[--h->n_idle]];
    struct bench_transfer t;
    char id[BENCH_ID_MAX];

    if (c->easy == NULL) {
        TRY(make(h, c, err));
    }
    c->number = h->sent++;
    h->stamps.ready[c->number] = bench_due_us(&h->stamps, c->number);
    bench_account_draw(h->b, false, &t);
    bench_id(&h->stamps, c->number, id);
    (void)snprintf(
        c->body, sizeof c->body,
        "{\"mode\": \"post\", \"transfer_id\": \"%s\", \"debit\": \"%s\", \"credit\": \"%s\", \"amount\": %" PRId64
        ", \"currency\": \"CNY\"}",
        id, t.debit, t.credit, t.amount);
    (void)curl_easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE, (long)strlen(c->body));
    (void)curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, c->body);
    if (curl_multi_add_handle(h->multi, c->easy) != CURLM_OK) {
        FAIL(err, RC_FATAL, "libcurl does not take the call");
    }
    return RC_OK;
}

static void reap(struct http_run *h)
{
    int left = 0;

    for (const CURLMsg *msg = NULL; (msg = curl_multi_info_read(h->multi, &left)) != NULL;) {
        struct call *c = NULL;
        long status = 0;
        CURLcode code = msg->data.result;
        (void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&c);
        (void)curl_easy_getinfo(msg->easy_handle, CURLINFO_RESPONSE_CODE, &status);
        (void)curl_multi_remove_handle(h->multi, c->easy);
        h->stamps.seen[c->number] = clock_mono_us();
        h->b->http_failed += code == CURLE_OK && status == 200 ? 0 : 1;
        h->idle[h->n_idle++] = (size_t)(c - h->calls);
        h->done++;
    }
}

static enum rc send_all(struct http_run *h, struct err *err)
{
    int64_t last_ms = 0;

    h->stamps.start_us = clock_mono_us();
    while (h->done < h->stamps.n) {
        int running = 0;
        int64_t now = clock_mono_us();
        while (h->sent < h->stamps.n && bench_due_us(&h->stamps, h->sent) <= now && h->n_idle > 0) {
            TRY(send_one(h, err));
        }
        (void)curl_multi_perform(h->multi, &running);
        reap(h);
        last_ms = h->sent < h->stamps.n ? clock_mono_ms() : last_ms;
        TRY(bench_check(last_ms + LAST_MS, "requests to the gateway", err));
        bench_progress(&h->b->base, "over HTTP", h->done, h->stamps.n);
        (void)curl_multi_poll(h->multi, NULL, 0, 1, NULL);
    }
    return RC_OK;
}

static void run_done(struct http_run *h)
{
    for (size_t i = 0; i < IN_FLIGHT_MAX; i++) {
        if (h->calls[i].easy != NULL) {
            (void)curl_multi_remove_handle(h->multi, h->calls[i].easy);
            curl_easy_cleanup(h->calls[i].easy);
        }
    }
    (void)curl_multi_cleanup(h->multi);
    curl_slist_free_all(h->headers);
    bench_stamps_done(&h->stamps);
    free(h->calls);
    free(h->idle);
    curl_global_cleanup();
}

static enum rc run(struct account_bench *b, const char *address, struct err *err)
{
    struct http_run h = {.b = b, .stamps = {.rate = b->http_rate, .skip = b->http_rate}};

    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    h.multi = curl_multi_init();
    h.headers = curl_slist_append(curl_slist_append(NULL, "Content-Type: application/json"), PREFER);
    h.calls = xcalloc(IN_FLIGHT_MAX, sizeof *h.calls);
    h.idle = xcalloc(IN_FLIGHT_MAX, sizeof *h.idle);
    for (h.n_idle = 0; h.n_idle < IN_FLIGHT_MAX; h.n_idle++) {
        h.idle[h.n_idle] = h.n_idle;
    }
    (void)snprintf(h.url, sizeof h.url, "http://%s/v1/transfers", address);
    bench_stamps_init(&h.stamps, b->http_rate * (b->base.seconds + 1));
    enum rc rc = send_all(&h, err);
    if (rc == RC_OK) {
        bench_evaluate(&h.stamps, &b->http);
    }
    run_done(&h);
    return rc;
}

enum rc bench_account_http(struct account_bench *b, struct err *err)
{
    char address[BENCH_ADDRESS_MAX];
    const struct bench_setting listen[] = {
        {"SLUICE_GATEWAY_LISTEN", address}, {"SLUICE_EXPRESS_LISTEN", "off"}, {"SLUICE_DEVICE_LISTEN", "off"}};

    TRY(bench_free_address(address, err));
    TRY(bench_account_start(b, 1, err));
    TRY(bench_role_start(&b->base, "gateway", listen, ARRAY_SIZE(listen), &b->gateway, err));
    enum rc rc = run(b, address, err);
    bench_account_stop(b);
    return rc;
}
