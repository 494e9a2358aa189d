/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts alone, one thread: what a channel's call costs before anything is stored. */
#include <string.h>

#include "base/clock.h"
#include "bench_gateway.h"
#include "crypto/base64.h"

#define VERDICT_US 1000000
#define ROUND 64
#define ARENA_BYTES ((size_t)16 << 10)
#define SIGNATURE_BYTES 512

static void note(struct gateway_bench *b, const char *name, int64_t n, int64_t us)
{
    b->verdicts[b->n_verdicts++] = (struct gateway_verdicts){.name = name, .per_s = (double)n * 1e6 / (double)us};
}

/* Headers of a call as it goes over the wire; the first line is none. */
static enum rc read_headers(const struct gateway_call *call, struct header_file *out, struct err *err)
{
    const char *first = memchr(call->bytes, '\n', call->body_at);
    return header_file_parse(first + 1, (size_t)(call->bytes + call->body_at - first - 1), out, err);
}

static enum rc run_verdicts(struct gateway_bench *b, const struct account *account, const struct capture *c,
                            const char *name, struct err *err)
{
    CLEANUP(arena_done) struct arena arena;
    int64_t now_s = clock_utc_us() / 1000000;
    int64_t began_us = clock_mono_us();
    int64_t n = 0;

    arena_init(&arena, ARENA_BYTES);
    while (clock_mono_us() - began_us < VERDICT_US) {
        for (int i = 0; i < ROUND; i++) {
            struct verdict v;
            if (channel_verify(account, c, now_s, &arena, &v) != REASON_OK) {
                FAIL(err, RC_FATAL, "%s: a call of our own is refused: %s: %s", name, reason_name(v.reason), v.detail);
            }
            arena_reset(&arena);
        }
        n += ROUND;
    }
    note(b, name, n, clock_mono_us() - began_us);
    return bench_check(INT64_MAX, "", err);
}

/* The arithmetic alone. */
static enum rc run_rsa(struct gateway_bench *b, struct err *err)
{
    static const char text[1200] = "";
    const struct sha256_part part = {text, sizeof text};
    unsigned char signature[RSA_SIGNATURE_BYTES_MAX];
    size_t signature_n = 0;
    int64_t n = 0;

    TRY(rsa_sign(b->keys.signing, &part, 1, signature, &signature_n, err));
    int64_t began_us = clock_mono_us();
    while (clock_mono_us() - began_us < VERDICT_US) {
        for (int i = 0; i < ROUND; i++, n++) {
            if (!rsa_verify(b->keys.signing, &part, 1, signature, signature_n)) {
                FAIL(err, RC_FATAL, "a signature of our own does not hold");
            }
        }
    }
    note(b, "RSA-2048 over 1,200 B", n, clock_mono_us() - began_us);
    return RC_OK;
}

static enum rc run_wechat(struct gateway_bench *b, const struct accounts *accounts, const struct gateway_call *call,
                          struct err *err)
{
    struct header_file headers;
    enum rc rc = read_headers(call, &headers, err);

    if (rc == RC_OK) {
        const struct capture c = {.headers = headers.lines,
                                  .n_headers = headers.n,
                                  .body = call->bytes + call->body_at,
                                  .body_n = call->n - call->body_at};
        rc = run_verdicts(b, accounts_find(accounts, CHANNEL_WECHAT, BENCH_GATEWAY_ACCOUNT), &c, "WeChat Pay", err);
    }
    header_file_done(&headers);
    return rc;
}

enum rc bench_gateway_verdicts(struct gateway_bench *b, const struct gateway_calls *calls, struct err *err)
{
    struct accounts *accounts = NULL;

    bench_progress(&b->base, "verdicts alone", 0, 1);
    TRY(run_rsa(b, err));
    TRY(accounts_read(b->keys.accounts, &accounts, err));
    enum rc rc = run_wechat(b, accounts, &calls->list[0], err);
    accounts = accounts_free(accounts);
    return rc;
}
