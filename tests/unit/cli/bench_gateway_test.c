/* SPDX-License-Identifier: Apache-2.0 */
/* The bench's own calls are what the gateway takes, its client finds the ends of answers, and its keys are removed. */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "channel/account.h"
#include "cli/bench_gateway.h"

static const struct cli QUIET = {.quiet = true};

static struct gateway_bench make(void)
{
    struct gateway_bench b = {
        .base = {.cli = &QUIET}, .connections = 8, .limit_seconds = 1, .run = (uint32_t)clock_random()};
    struct err err = {0};
    cr_assert_eq(bench_gateway_keys(&b.keys, &err), RC_OK, "%s", err.text);
    return b;
}

Test(bench_gateway, calls_are_accepted_each_for_another_order)
{
    struct gateway_bench b = make();
    struct gateway_calls calls = {.n = 0};
    struct accounts *accounts = NULL;
    struct err err = {0};

    cr_assert_eq(bench_gateway_sign(&b, 5, 3, &calls, &err), RC_OK, "%s", err.text);
    cr_assert_eq(accounts_read(b.keys.accounts, &accounts, &err), RC_OK, "%s", err.text);
    for (int64_t i = 0; i < calls.n; i++) {
        const struct gateway_call *call = &calls.list[i];
        const char *first = strchr(call->bytes, '\n') + 1;
        char order[BENCH_PAYMENT_MAX];
        struct header_file headers;
        struct arena arena;
        struct verdict v;
        arena_init(&arena, 4096);
        cr_assert_eq(header_file_parse(first, (size_t)(call->bytes + call->body_at - first), &headers, &err), RC_OK);
        const struct capture c = {.headers = headers.lines,
                                  .n_headers = headers.n,
                                  .body = call->bytes + call->body_at,
                                  .body_n = call->n - call->body_at};
        (void)channel_verify(accounts_find(accounts, CHANNEL_WECHAT, BENCH_GATEWAY_ACCOUNT), &c,
                             clock_utc_us() / 1000000, &arena, &v);
        cr_assert_eq(v.reason, REASON_OK, "%s: %s", reason_name(v.reason), v.detail);
        bench_gateway_payment(b.run, 5 + i, order);
        cr_assert_str_eq(v.event.payment_id, order);
        cr_assert_eq(v.event.amount, BENCH_GATEWAY_AMOUNT);
        header_file_done(&headers);
        arena_done(&arena);
    }
    (void)accounts_free(accounts);
    bench_gateway_calls_done(&calls);
    bench_gateway_keys_done(&b.keys);
}

Test(bench_gateway, client_and_limit_understand_each_other)
{
    struct gateway_bench b = make();
    struct gateway_calls calls = {.n = 0};
    struct err err = {0};

    cr_assert_eq(bench_gateway_sign(&b, 0, 20, &calls, &err), RC_OK, "%s", err.text);
    cr_assert_eq(bench_gateway_limit(&b, &calls, &err), RC_OK, "%s", err.text);
    cr_assert_gt(b.limit.good, 0);
    cr_assert_eq(b.limit.good, b.limit.sent);

    calls.list[7].bytes[calls.list[7].n - 2] ^= 1;
    cr_assert_eq(bench_gateway_limit(&b, &calls, &err), RC_RETRY);
    cr_assert_gt(b.limit.other, 0);
    cr_assert_eq(b.limit.other_status, 401);
    bench_gateway_calls_done(&calls);
    bench_gateway_keys_done(&b.keys);
}

Test(bench_gateway, keys_are_readable_by_nobody_else_and_removed)
{
    struct gateway_bench b = make();
    char *directory = xstrdup(b.keys.directory);

    cr_assert_eq(access(b.keys.accounts, R_OK), 0);
    bench_gateway_keys_done(&b.keys);
    cr_assert_neq(access(directory, F_OK), 0);
    free(directory);
}
