/* SPDX-License-Identifier: Apache-2.0 */
/* Notifications of WeChat Pay as its servers would send them, each of another order: signing takes ten times as long as
 * verifying, so all of it is done before the clock starts. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench_gateway.h"
#include "channel/wechat_sign.h"
#include "sign_channel.h"

#define THREADS_MAX 64
#define CALL_BYTES_MAX ((size_t)8 << 10)
#define SIGNING_MS_MAX 600000

struct signer {
    struct gateway_bench *b;
    struct gateway_calls *calls;
    int64_t first, at, step;
    atomic_llong *done;
    atomic_bool *stop;
    pthread_t thread;
    enum rc rc;
    struct err err;
};

void bench_gateway_payment(uint32_t run, int64_t i, char out[BENCH_PAYMENT_MAX])
{
    (void)snprintf(out, BENCH_PAYMENT_MAX, "bench-%08" PRIx32 "-%" PRId64, run, i);
}

static void make_body(const struct signer *s, int64_t i, int64_t now_s, struct buf *body)
{
    char payment[BENCH_PAYMENT_MAX];
    char id[BENCH_ID_MAX];
    char txn[BENCH_ID_MAX];
    const struct bench_stamps ids = {.run = s->b->run};

    bench_gateway_payment(s->b->run, i, payment);
    bench_id(&ids, i, id);
    (void)snprintf(txn, sizeof txn, "42%08" PRIx32 "%018" PRId64, s->b->run, i);
    const struct wechat_notice notice = {.id = id,
                                         .type = "TRANSACTION.SUCCESS",
                                         .mchid = BENCH_GATEWAY_MCHID,
                                         .appid = BENCH_GATEWAY_APPID,
                                         .payment_id = payment,
                                         .txn_id = txn,
                                         .amount = BENCH_GATEWAY_AMOUNT,
                                         .total = BENCH_GATEWAY_AMOUNT,
                                         .currency = "CNY",
                                         .at_s = now_s};
    wechat_notice_body(&notice, (const unsigned char *)s->b->keys.apiv3, body);
}

/* Each line ends as HTTP wants it. */
static void add_lines(struct buf *out, const struct buf *lines)
{
    for (size_t i = 0; i < lines->len; i++) {
        (void)(lines->data[i] == '\n' ? buf_puts(out, "\r\n") : buf_putc(out, lines->data[i]));
    }
}

static enum rc make_call(struct signer *s, int64_t i, struct gateway_call *out, struct err *err)
{
    int64_t now_s = clock_utc_us() / 1000000;
    CLEANUP(buf_done) struct buf body;
    CLEANUP(buf_done) struct buf lines;
    struct buf all;

    buf_init(&body, CALL_BYTES_MAX);
    buf_init(&lines, CALL_BYTES_MAX);
    make_body(s, i, now_s, &body);
    TRY(wechat_sign_headers(s->b->keys.signing, SIGN_WECHAT_PUBLIC_ID, now_s, NULL, buf_str(&body), body.len, &lines,
                            err));
    buf_init(&all, CALL_BYTES_MAX);
    (void)buf_printf(&all,
                     "POST " BENCH_GATEWAY_PATH " HTTP/1.1\r\nHost: pay.bench.invalid\r\nUser-Agent: Mozilla/4.0\r\n"
                     "Accept: */*\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n",
                     body.len);
    add_lines(&all, &lines);
    (void)buf_puts(&all, "\r\n");
    out->body_at = all.len;
    (void)buf_add(&all, buf_str(&body), body.len);
    out->n = all.len;
    out->bytes = buf_take(&all);
    return RC_OK;
}

static void *make_calls(void *arg)
{
    struct signer *s = arg;

    for (; s->at < s->calls->n && s->rc == RC_OK && !atomic_load(s->stop); s->at += s->step) {
        s->rc = make_call(s, s->first + s->at, &s->calls->list[s->at], &s->err);
        (void)atomic_fetch_add(s->done, 1);
    }
    if (s->rc != RC_OK) {
        atomic_store(s->stop, true);
    }
    return NULL;
}

static enum rc wait_for(struct signer *list, struct err *err)
{
    struct bench *b = &list[0].b->base;
    int64_t n = list[0].calls->n;
    int64_t deadline = clock_mono_ms() + SIGNING_MS_MAX;
    enum rc rc = RC_OK;

    while (rc == RC_OK && !atomic_load(list[0].stop) && atomic_load(list[0].done) < n) {
        rc = bench_check(deadline, "signing (ask for fewer calls)", err);
        bench_progress(b, "signing calls", atomic_load(list[0].done), n);
        clock_sleep_ms(20);
    }
    return rc;
}

static enum rc run_signers(struct signer *list, int64_t n, struct err *err)
{
    int64_t started = 0;

    while (started < n && pthread_create(&list[started].thread, NULL, make_calls, &list[started]) == 0) {
        started++;
    }
    enum rc rc = started == n ? wait_for(list, err) : RC_OK;
    if (rc != RC_OK || started < n) {
        atomic_store(list[0].stop, true);
    }
    for (int64_t i = 0; i < started; i++) {
        (void)pthread_join(list[i].thread, NULL);
        if (rc == RC_OK && list[i].rc != RC_OK) {
            *err = list[i].err;
            rc = list[i].rc;
        }
    }
    if (rc == RC_OK && started < n) {
        FAIL(err, RC_FATAL, "cannot start a thread");
    }
    return rc;
}

enum rc bench_gateway_sign(struct gateway_bench *b, int64_t first, int64_t n, struct gateway_calls *out,
                           struct err *err)
{
    struct signer list[THREADS_MAX];
    atomic_llong done = 0;
    atomic_bool stop = false;
    int64_t began_us = clock_mono_us();
    int64_t threads = sysconf(_SC_NPROCESSORS_ONLN);

    threads = threads < 1 ? 1 : threads > THREADS_MAX ? THREADS_MAX : threads;
    *out = (struct gateway_calls){.list = xcalloc((size_t)n, sizeof *out->list), .n = n};
    for (int64_t i = 0; i < threads; i++) {
        list[i] = (struct signer){
            .b = b, .calls = out, .first = first, .at = i, .step = threads, .done = &done, .stop = &stop, .rc = RC_OK};
    }
    enum rc rc = run_signers(list, threads, err);
    out->seconds = (double)(clock_mono_us() - began_us + 1) / 1e6;
    return rc;
}

void bench_gateway_calls_done(struct gateway_calls *c)
{
    for (int64_t i = 0; i < c->n; i++) {
        free(c->list[i].bytes);
    }
    free(c->list);
    *c = (struct gateway_calls){.n = 0};
}
