/* SPDX-License-Identifier: Apache-2.0 */
/* Notifications of WeChat Pay as its servers would send them, each of another order: signing takes ten times as long as
 * verifying, so all of it is done before the clock starts. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench_gateway.h"
#include "crypto/aes_gcm.h"
#include "crypto/base64.h"

#define THREADS_MAX 64
#define PLAIN_MAX 1024
#define AAD "transaction"
#define CALL_BYTES_MAX ((size_t)8 << 10)
#define BEIJING_S (8 * 3600)
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

/* As the channel writes times: 2026-01-31T10:00:00+08:00. */
static void beijing(int64_t at_s, char *out, size_t out_size)
{
    time_t t = (time_t)(at_s + BEIJING_S);
    struct tm tm;

    (void)gmtime_r(&t, &tm);
    (void)strftime(out, out_size, "%Y-%m-%dT%H:%M:%S+08:00", &tm);
}

static int plain_text(const struct signer *s, int64_t i, const char *at, char out[PLAIN_MAX])
{
    char payment[BENCH_PAYMENT_MAX];

    bench_gateway_payment(s->b->run, i, payment);
    return snprintf(out, PLAIN_MAX,
                    "{\"mchid\":\"" BENCH_GATEWAY_MCHID "\",\"appid\":\"" BENCH_GATEWAY_APPID "\",\"out_trade_no\":"
                    "\"%s\",\"transaction_id\":\"42%08" PRIx32 "%018" PRId64 "\",\"trade_type\":\"JSAPI\","
                    "\"trade_state\":\"SUCCESS\",\"trade_state_desc\":\"\\u652f\\u4ed8\\u6210\\u529f\","
                    "\"bank_type\":\"CMC\",\"attach\":\"\",\"success_time\":\"%s\","
                    "\"payer\":{\"openid\":\"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o\"},\"amount\":{\"total\":%d,"
                    "\"payer_total\":%d,\"currency\":\"CNY\",\"payer_currency\":\"CNY\"}}",
                    payment, s->b->run, i, at, BENCH_GATEWAY_AMOUNT, BENCH_GATEWAY_AMOUNT);
}

/* As base64. */
static void seal(const struct gateway_keys *k, const char *nonce, const char *plain, size_t n, char *out)
{
    unsigned char sealed[PLAIN_MAX + AES_GCM_TAG_BYTES];
    const struct aes_gcm g = {(const unsigned char *)k->apiv3, nonce, AES_GCM_NONCE_BYTES, AAD, sizeof AAD - 1};

    aes_gcm_seal(&g, plain, n, sealed);
    base64_encode(sealed, n + AES_GCM_TAG_BYTES, out);
}

static void make_body(const struct signer *s, int64_t i, int64_t now_s, struct buf *body)
{
    char at[40];
    char plain[PLAIN_MAX];
    char nonce[AES_GCM_NONCE_BYTES + 1];
    char sealed[BASE64_LENGTH(PLAIN_MAX + AES_GCM_TAG_BYTES) + 1];
    char id[BENCH_ID_MAX];
    const struct bench_stamps ids = {.run = s->b->run};

    beijing(now_s, at, sizeof at);
    bench_id(&ids, i, id);
    (void)snprintf(nonce, sizeof nonce, "%012" PRIx64, (uint64_t)i);
    int n = plain_text(s, i, at, plain);
    seal(&s->b->keys, nonce, plain, (size_t)n, sealed);
    (void)buf_printf(body,
                     "{\"id\":\"%s\",\"create_time\":\"%s\",\"resource_type\":\"encrypt-resource\","
                     "\"event_type\":\"TRANSACTION.SUCCESS\",\"summary\":\"\\u652f\\u4ed8\\u6210\\u529f\","
                     "\"resource\":{\"original_type\":\"transaction\",\"algorithm\":\"AEAD_AES_256_GCM\","
                     "\"ciphertext\":\"%s\",\"associated_data\":\"" AAD "\",\"nonce\":\"%s\"}}",
                     id, at, sealed, nonce);
}

static enum rc make_call(struct signer *s, int64_t i, struct gateway_call *out, struct err *err)
{
    unsigned char bytes[RSA_SIGNATURE_BYTES_MAX];
    char signature[BASE64_LENGTH(sizeof bytes) + 1];
    size_t n = 0;
    int64_t now_s = clock_utc_us() / 1000000;
    CLEANUP(buf_done) struct buf body;
    CLEANUP(buf_done) struct buf text;
    struct buf all;

    buf_init(&body, CALL_BYTES_MAX);
    buf_init(&text, CALL_BYTES_MAX);
    buf_init(&all, CALL_BYTES_MAX);
    make_body(s, i, now_s, &body);
    (void)buf_printf(&text, "%" PRId64 "\n%032" PRIx64 "\n%s\n", now_s, (uint64_t)i, buf_str(&body));
    const struct sha256_part part = {buf_str(&text), text.len};
    TRY(rsa_sign(s->b->keys.signing, &part, 1, bytes, &n, err));
    base64_encode(bytes, n, signature);
    (void)buf_printf(&all,
                     "POST " BENCH_GATEWAY_PATH " HTTP/1.1\r\nHost: pay.bench.invalid\r\nUser-Agent: Mozilla/4.0\r\n"
                     "Accept: */*\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
                     "Wechatpay-Nonce: %032" PRIx64 "\r\nWechatpay-Serial: " BENCH_GATEWAY_KEY_ID "\r\n"
                     "Wechatpay-Signature: %s\r\nWechatpay-Signature-Type: WECHATPAY2-SHA256-RSA2048\r\n"
                     "Wechatpay-Timestamp: %" PRId64 "\r\n\r\n",
                     body.len, (uint64_t)i, signature, now_s);
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
        list[i] = (struct signer){.b = b,
                                  .calls = out,
                                  .first = first,
                                  .at = i,
                                  .step = threads,
                                  .done = &done,
                                  .stop = &stop,
                                  .rc = RC_OK};
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
