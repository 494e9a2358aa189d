/* SPDX-License-Identifier: Apache-2.0 */
/* Queues: order, bound, closing; and members that money moves by. */
#include "gateway/job.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "gateway/check.h"
#include "gateway/flows.h"
#include "ledger/ledger.h"

Test(job_queue, first_in_first_out_and_bounded)
{
    struct job_queue q;
    struct job jobs[4] = {{.wait_s = 0}, {.wait_s = 1}, {.wait_s = 2}, {.wait_s = 3}};
    struct job *out[4];
    job_queue_init(&q, 3);
    cr_assert_eq(job_queue_take(&q, out, 4, 0), 0);
    for (int i = 0; i < 3; i++) {
        cr_assert(job_queue_put(&q, &jobs[i]));
    }
    cr_assert_not(job_queue_put(&q, &jobs[3]), "full");
    cr_assert_eq(job_queue_take(&q, out, 2, 1000), 2);
    cr_assert_eq(out[0], &jobs[0]);
    cr_assert_eq(out[1], &jobs[1]);
    cr_assert(job_queue_put(&q, &jobs[3]));
    job_queue_close(&q);
    cr_assert_not(job_queue_put(&q, &jobs[0]), "closed");
    cr_assert_not(job_queue_over(&q), "something is left");
    cr_assert_eq(job_queue_take(&q, out, 4, 60000), 2);
    cr_assert_eq(out[0], &jobs[2]);
    cr_assert_eq(out[1], &jobs[3]);
    cr_assert(job_queue_over(&q));
    cr_assert_eq(job_queue_take(&q, out, 4, 60000), 0, "a closed queue does not wait");
    job_queue_done(&q);
}

/* Whoever floods one channel with nonsense neither fills the queue for the others nor stands before them. */
Test(job_queue, lanes_take_turns_and_fill_up_alone)
{
    enum { FLOOD = 100 };
    struct job_queue q;
    struct job flood[FLOOD + 1] = {{.lane = 0}};
    struct job good[2] = {{.lane = 2}, {.lane = 2}};
    struct job late = {.lane = 3};
    struct job *out[FLOOD + 3];
    job_queue_init(&q, FLOOD);
    for (int i = 0; i < FLOOD; i++) {
        flood[i].wait_s = i;
        cr_assert(job_queue_put(&q, &flood[i]));
    }
    cr_assert_not(job_queue_put(&q, &flood[FLOOD]), "its lane is full");
    cr_assert(job_queue_put(&q, &good[0]), "another is not");
    cr_assert(job_queue_put(&q, &good[1]));
    cr_assert_eq(job_queue_take(&q, out, 1, 0), 1);
    cr_assert(job_queue_put(&q, &late));
    cr_assert_eq(job_queue_length(&q), FLOOD + 2);
    cr_assert_eq(job_queue_take(&q, out + 1, FLOOD + 2, 0), FLOOD + 2);
    cr_assert(out[0] == &flood[0] && out[1] == &good[0] && out[2] == &late && out[3] == &flood[1] &&
              out[4] == &good[1]);
    for (int i = 2; i < FLOOD; i++) {
        cr_assert_eq(out[3 + i], &flood[i], "in order");
    }
    cr_assert_eq(job_queue_length(&q), 0);
    cr_assert_eq(job_queue_take(&q, out, 1, 0), 0);
    job_queue_done(&q);
}

struct amount_row {
    const char *text, *code; /* NULL = taken */
};

Test(check, amounts_have_a_code_for_each_mistake)
{
    static const struct amount_row rows[] = {{"1", NULL},
                                             {"9223372036854775807", NULL},
                                             {"0", "amount_not_positive"},
                                             {"-5", "amount_not_positive"},
                                             {"-99999999999999999999", "amount_not_positive"},
                                             {"9223372036854775808", "amount_too_large"},
                                             {"1.0", "field_type"},
                                             {"1e2", "field_type"},
                                             {"\"1\"", "field_type"},
                                             {"null", "field_type"}};
    struct arena arena;
    arena_init(&arena, 1024);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[64];
        struct problem problem = {0};
        struct body_value *value = NULL;
        struct fields f;
        int64_t n = 0;
        (void)snprintf(text, sizeof text, "{\"amount\": %s}", rows[i].text);
        cr_assert_eq(body_parse(text, strlen(text), &arena, &value, &problem), RC_OK);
        fields_begin(&f, value, "", &problem);
        cr_assert_eq(member_amount(&f, FIELD_REQUIRED, &n), rows[i].code == NULL, "row %zu", i);
        cr_assert_str_eq(problem.code, rows[i].code == NULL ? "" : rows[i].code, "row %zu", i);
    }
    arena_done(&arena);
}

Test(check, ids_and_cursors)
{
    cr_assert(ledger_is_id("a.B_9:~@-"));
    cr_assert_not(ledger_is_id("") || ledger_is_id("a b") || ledger_is_id("a/b") || ledger_is_id("\xc3\xa9"));
    char longer[130];
    memset(longer, 'a', 129);
    longer[129] = '\0';
    cr_assert_not(ledger_is_id(longer));
    longer[128] = '\0';
    cr_assert(ledger_is_id(longer));
    cr_assert(ledger_is_currency("CNY") && ledger_is_currency("abcdefghij12"));
    cr_assert_not(ledger_is_currency("") || ledger_is_currency("C-Y") || ledger_is_currency("abcdefghij123"));
    cr_assert(flows_key_ok("0|12") && flows_key_ok("-1|0") == false);
    cr_assert_not(flows_key_ok("0") || flows_key_ok("|") || flows_key_ok("0|") || flows_key_ok("x|1") ||
                  flows_key_ok("99999999999999999|1") || flows_key_ok("0|1|2"));
}
