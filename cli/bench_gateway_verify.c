/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts alone, one thread: what a channel's call costs before anything is stored. */
#include "base/clock.h"
#include "bench_gateway.h"
#include "sign_channel.h"

#define VERDICT_US 1000000
#define ROUND 64
#define ARENA_BYTES ((size_t)16 << 10)
#define CALL_BYTES_MAX ((size_t)64 << 10)
#define FIRSTS 100
#define PAYMENT "00000000-0000-4000-8000-0000000bec40" /* an App Store's order is an uuid */
#define TXN "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

struct kind {
    enum channel channel;
    const char *account;
    const char *name;
    bool fresh;
};

static void note(struct gateway_bench *b, const char *name, int64_t n, int64_t us)
{
    b->verdicts[b->n_verdicts++] = (struct gateway_verdicts){.name = name, .per_s = (double)n * 1e6 / (double)us};
}

/* One verdict; fails where it is another than accepted. */
static enum rc one(const struct account *account, const struct capture *c, int64_t now_s, struct arena *arena,
                   const char *name, struct err *err)
{
    struct verdict v;
    if (channel_verify(account, c, now_s, arena, &v) != REASON_OK) {
        FAIL(err, RC_FATAL, "%s: a call of our own is refused: %s: %s", name, reason_name(v.reason), v.detail);
    }
    arena_reset(arena);
    return RC_OK;
}

static enum rc again_and_again(struct gateway_bench *b, const struct kind *k, const char *accounts_path,
                               const struct capture *c, int64_t now_s, struct arena *arena, struct err *err)
{
    struct accounts *accounts = NULL;
    int64_t n = 0;

    TRY(accounts_read(accounts_path, &accounts, err));
    const struct account *account = accounts_find(accounts, k->channel, k->account);
    int64_t began_us = clock_mono_us();
    enum rc rc = RC_OK;
    while (rc == RC_OK && clock_mono_us() - began_us < VERDICT_US) {
        for (int i = 0; i < ROUND && rc == RC_OK; i++, n++) {
            rc = one(account, c, now_s, arena, k->name, err);
        }
    }
    note(b, k->name, n, clock_mono_us() - began_us);
    accounts = accounts_free(accounts);
    return rc;
}

/* The first verdict of an account that was just read: nothing is remembered of its chains. */
static enum rc the_first(struct gateway_bench *b, const struct kind *k, const char *accounts_path,
                         const struct capture *c, int64_t now_s, struct arena *arena, struct err *err)
{
    int64_t us = 0;

    for (int i = 0; i < FIRSTS; i++) {
        struct accounts *accounts = NULL;
        TRY(accounts_read(accounts_path, &accounts, err));
        int64_t began_us = clock_mono_us();
        enum rc rc = one(accounts_find(accounts, k->channel, k->account), c, now_s, arena, k->name, err);
        us += clock_mono_us() - began_us;
        accounts = accounts_free(accounts);
        TRY(rc);
    }
    note(b, k->name, FIRSTS, us);
    return RC_OK;
}

static enum rc run_signed(struct gateway_bench *b, const struct kind *k, const char *accounts_path,
                          const struct buf *lines, const struct buf *body, int64_t now_s, struct err *err)
{
    CLEANUP(arena_done) struct arena arena;
    struct header_file headers;
    enum rc rc = header_file_parse(buf_str(lines), lines->len, &headers, err);

    arena_init(&arena, ARENA_BYTES);
    if (rc == RC_OK) {
        const struct capture c = {
            .headers = headers.lines, .n_headers = headers.n, .body = buf_str(body), .body_n = body->len};
        rc = (k->fresh ? the_first : again_and_again)(b, k, accounts_path, &c, now_s, &arena, err);
    }
    header_file_done(&headers);
    return rc == RC_OK ? bench_check(INT64_MAX, "", err) : rc;
}

static enum rc run_kind(struct gateway_bench *b, const struct kind *k, const char *directory, struct err *err)
{
    CLEANUP(freep) char *path = xasprintf("%s/accounts.json", directory);
    CLEANUP(buf_done) struct buf lines;
    CLEANUP(buf_done) struct buf body;
    struct accounts *accounts = NULL;
    int64_t now_s = clock_utc_us() / 1000000;

    buf_init(&lines, CALL_BYTES_MAX);
    buf_init(&body, CALL_BYTES_MAX);
    TRY(accounts_read(path, &accounts, err));
    const struct sign_request request = {.directory = directory,
                                         .account = accounts_find(accounts, k->channel, k->account),
                                         .payment = PAYMENT,
                                         .amount = BENCH_GATEWAY_AMOUNT,
                                         .total = BENCH_GATEWAY_AMOUNT,
                                         .currency = "CNY",
                                         .txn = TXN,
                                         .notification = PAYMENT,
                                         .key = k->channel == CHANNEL_WECHAT ? SIGN_WECHAT_PUBLIC_ID : NULL,
                                         .at_s = now_s};
    enum rc rc = sign_make(&request, &lines, &body, err);
    accounts = accounts_free(accounts);
    return rc == RC_OK ? run_signed(b, k, path, &lines, &body, now_s, err) : rc;
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

enum rc bench_gateway_verdicts(struct gateway_bench *b, struct err *err)
{
    static const struct kind KINDS[] = {{CHANNEL_WECHAT, SIGN_SHOP, "WeChat Pay", false},
                                        {CHANNEL_ALIPAY, SIGN_SHOP, "Alipay", false},
                                        {CHANNEL_APPSTORE, SIGN_GAME, "App Store, chain known", false},
                                        {CHANNEL_APPSTORE, SIGN_GAME, "App Store, chain new", true},
                                        {CHANNEL_APPLEPAY, SIGN_SHOP, "Apple Pay, chain known", false},
                                        {CHANNEL_APPLEPAY, SIGN_SHOP, "Apple Pay, chain new", true}};

    TRY(run_rsa(b, err));
    for (size_t i = 0; i < ARRAY_SIZE(KINDS); i++) {
        bench_progress(&b->base, "verdicts alone", (int64_t)i, ARRAY_SIZE(KINDS));
        TRY(run_kind(b, &KINDS[i], b->keys.directory, err));
    }
    return RC_OK;
}
