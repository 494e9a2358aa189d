/* SPDX-License-Identifier: Apache-2.0 */
/* Stored calls, looked at again: verified once more, taken out of quarantine, erased. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "channel/wechat_sign.h"
#include "cli/commands.h"
#include "gateway/reverify.h"
#include "support/callback_rig.h"
#include "support/wechat_rig.h"

static struct err err;
static char *directory;
static struct accounts *accounts;

#define ACCOUNT                                                                                                 \
    "{\"wechat\": {\"%s\": {\"mchid\": \"1900000001\", \"appid\": \"wx1\", \"apiv3_key_file\": \"apiv3.key\", " \
    "\"keys\": {\"PUB_KEY_ID_1\": \"public.pem\"}}}}"

/* The account under this name, whose signatures fit this key. */
static void use(const char *name, enum rig_key key)
{
    char json[500];
    CLEANUP(freep) char *pem = rig_public_pem(key);
    rig_write(directory, "public.pem", pem);
    (void)snprintf(json, sizeof json, ACCOUNT, name);
    accounts = accounts_free(accounts);
    accounts = rig_accounts(directory, json);
}

static void setup(void)
{
    callback_rig_open();
    directory = rig_directory();
    use("shop1", RIG_KEY_B);
}

static void teardown(void)
{
    accounts = accounts_free(accounts);
    rig_directory_remove(directory);
    callback_rig_close();
}

TestSuite(callback_again, .init = setup, .fini = teardown, .timeout = 100);

/* Signed, verified and stored, as WeChat Pay and the gateway do it. */
static void paid(const char *id, const char *payment, int64_t amount)
{
    CLEANUP(buf_done) struct buf headers;
    CLEANUP(buf_done) struct buf body;
    CLEANUP(header_file_done) struct header_file lines = {0};
    int64_t now_s = clock_utc_ms() / 1000;
    const struct wechat_notice notice = {.id = id,
                                         .type = "TRANSACTION.SUCCESS",
                                         .mchid = "1900000001",
                                         .appid = "wx1",
                                         .payment_id = payment,
                                         .txn_id = id,
                                         .amount = amount,
                                         .currency = "CNY",
                                         .at_s = now_s};
    buf_init(&headers, 65536);
    buf_init(&body, 65536);
    wechat_notice_body(&notice, (const unsigned char *)RIG_APIV3_KEY, &body);
    cr_assert_eq(
        wechat_sign_headers(rig_rsa(RIG_KEY_B), "PUB_KEY_ID_1", now_s, NULL, body.data, body.len, &headers, &err),
        RC_OK);
    cr_assert_eq(header_file_parse(buf_str(&headers), headers.len, &lines, &err), RC_OK, "%s", err.text);
    struct job *job = callback_paid(id, payment);
    struct callback *c = job->callback;
    c->account = accounts_find(accounts, CHANNEL_WECHAT, "shop1");
    c->capture = (struct capture){
        .headers = lines.lines, .n_headers = lines.n, .body = body.data, .body_n = body.len, .address = "10.1.2.3"};
    cr_assert_eq(channel_verify(c->account, &c->capture, c->received_us / 1000000, &rig.arena, &c->verdict), REASON_OK,
                 "%s", c->verdict.detail);
    c->payload = callback_payload(job);
    callback_keep(&rig.g, job);
    (void)callback_store_one(job);
}

static int sluice(const char *const *words)
{
    char url[300];
    char list[300];
    char keys[300];
    char program[] = "sluice";
    char *argv[16] = {program};
    char *envp[] = {url, list, keys, NULL};
    int argc = 1;
    (void)snprintf(url, sizeof url, "DATABASE_URL=%s", st.url);
    (void)snprintf(list, sizeof list, "SLUICE_GATEWAY_ACCOUNTS=%s/accounts.json", directory);
    (void)snprintf(keys, sizeof keys, "SLUICE_GATEWAY_RAW_KEYS_FILE=%s", rig.keys_path);
    for (; words[argc - 1] != NULL; argc++) {
        argv[argc] = xstrdup(words[argc - 1]);
    }
    int code = cli_main(&ROOT_COMMAND, argc, argv, envp);
    for (int i = 1; i < argc; i++) {
        free(argv[i]);
    }
    return code;
}
#define SLUICE(...) sluice((const char *const[]){__VA_ARGS__, NULL})

/* ---------------------------------------------------------------------------------------------------- reverify */

static char differences[2000];

static void on_difference(void *opaque, const struct reverify_difference *d)
{
    size_t n = strlen(differences);
    (void)opaque;
    (void)snprintf(differences + n, sizeof differences - n, "%s: %s -> %s\n", d->what, d->stored, d->now);
}

static struct reverify_counts again(const struct reverify_filter *filter)
{
    struct reverify_counts counts;
    differences[0] = '\0';
    cr_assert_eq(reverify_run(st.conn, accounts, rig.g.raw_keys, filter, on_difference, NULL, &counts, &err), RC_OK,
                 "%s", err.text);
    return counts;
}

Test(callback_again, what_was_stored_is_said_again)
{
    static const struct reverify_filter ALL = {0};
    static const struct reverify_filter OTHERS[] = {
        {.channel = "alipay"}, {.account = "shop2"}, {.verdict = "ok"}, {.since = "infinity"}};
    paid("n1", "A-1", 100);
    paid("n2", "A-2", 200);
    struct reverify_counts counts = again(&ALL);
    cr_assert_eq(counts.looked_at, 2);
    cr_assert_eq(counts.changed + counts.unreadable, 0, "%s", differences);
    for (size_t i = 0; i < ARRAY_SIZE(OTHERS); i++) {
        cr_assert_eq(again(&OTHERS[i]).looked_at, 0, "%zu", i);
    }
    cr_assert_eq(SLUICE("gateway", "reverify", "--reason", "unknown_order"), EXIT_DONE);

    stack_sql(st.conn, "UPDATE payment_callbacks SET amount = 201, refund_id = 'r' WHERE notification_id = 'n2'");
    counts = again(&ALL);
    cr_assert_eq(counts.changed, 1);
    cr_assert_str_eq(differences, "refund_id: r -> -\namount: 201 -> 200\n");
    cr_assert_eq(SLUICE("gateway", "reverify", "--json"), EXIT_REJECTED);
}

Test(callback_again, other_keys_accounts_and_bytes_are_told)
{
    static const struct reverify_filter ALL = {0};
    paid("n1", "A-1", 100);
    use("shop1", RIG_KEY_A);
    struct reverify_counts counts = again(&ALL);
    cr_assert_eq(counts.changed, 1);
    cr_assert_eq(strncmp(differences, "reason: ok -> sig_invalid: ", 27), 0, "%s", differences);
    use("shop2", RIG_KEY_B);
    counts = again(&ALL);
    cr_assert_eq(counts.unreadable, 1);
    cr_assert_not_null(strstr(differences, "no such account"), "%s", differences);
    use("shop1", RIG_KEY_B);
    cr_assert_eq(again(&ALL).changed, 0);
    stack_sql(st.conn, "UPDATE payment_callbacks SET raw_body = set_byte(raw_body, 20, 255 - get_byte(raw_body, 20))");
    counts = again(&ALL);
    cr_assert_eq(counts.unreadable, 1);
    cr_assert_not_null(strstr(differences, "does not decrypt"), "%s", differences);
    stack_sql(st.conn, "UPDATE payment_callbacks SET key_id = 'k9'");
    cr_assert_eq(SLUICE("gateway", "reverify"), EXIT_REJECTED);
    cr_assert_eq(SLUICE("gateway", "erase", "--payment", "A-1", "--yes"), EXIT_DONE);
    cr_assert_eq(again(&ALL).looked_at, 0, "there is nothing to look at");
}

Test(callback_again, many_are_looked_at_in_windows)
{
    static const struct reverify_filter ALL = {0};
    paid("n1", "A-1", 100);
    stack_sql(st.conn,
              "INSERT INTO payment_callbacks SELECT (jsonb_populate_record(c, jsonb_build_object('id', "
              "gen_random_uuid(), 'notification_id', 'x' || i, 'business_key', 'x' || i))).* FROM payment_callbacks c, "
              "generate_series(1, 250) i");
    struct reverify_counts counts = again(&ALL);
    cr_assert_eq(counts.looked_at, 251, "though all came in the same microsecond");
    cr_assert_eq(counts.unreadable, 250, "they are sealed for another row");
}

/* ---------------------------------------------------------------------------------------------------- quarantine */

static char *open_id(const char *payment)
{
    return stack_text(st.conn, "SELECT id FROM payment_quarantine WHERE payment_id = '%s'", payment);
}

Test(callback_again, a_person_tells_the_ledger_or_does_not)
{
    callback_order("A-1", "wechat", 99, "CNY");
    callback_order("A-2", "wechat", 99, "CNY");
    paid("n1", "A-1", 100);
    paid("n2", "A-2", 100);
    CLEANUP(freep) char *first = open_id("A-1");
    CLEANUP(freep) char *second = open_id("A-2");
    cr_assert_eq(SLUICE("gateway", "quarantine", "ls", "--json"), EXIT_DONE);
    cr_assert_eq(SLUICE("gateway", "quarantine", "ls", "--code", "nonsense"), EXIT_USAGE);
    cr_assert_eq(SLUICE("gateway", "quarantine", "show", first), EXIT_DONE);
    cr_assert_eq(SLUICE("gateway", "quarantine", "release", first), EXIT_USAGE, "nobody, for no reason");
    cr_assert_eq(SLUICE("gateway", "quarantine", "release", first, "--as", "mia", "--note", "x", "--dry-run"),
                 EXIT_DONE);
    cr_assert_eq(stack_int(st.conn, "SELECT count(*) FROM payment_outbox"), 0);

    cr_assert_eq(SLUICE("gateway", "quarantine", "release", first, "--as", "mia", "--note", "they gave a rebate"),
                 EXIT_DONE);
    stack_expect(
        st.conn, "told under an id of its own",
        "SELECT o.partition_key || ' ' || o.event_type || ' ' || (o.payload ->> 'amount') || ' ' || q.settled_by "
        "|| ' ' || q.released || ' ' || q.note FROM payment_outbox o JOIN payment_callbacks c ON c.event_id = "
        "o.id JOIN payment_quarantine q ON q.id = c.id",
        "A-1 payment.succeeded 100 mia true they gave a rebate");
    cr_assert_eq(SLUICE("gateway", "quarantine", "release", first, "--as", "joe", "--note", "x"), EXIT_REJECTED,
                 "once");
    cr_assert_eq(SLUICE("gateway", "quarantine", "dismiss", second, "--as", "mia", "--note", "a test"), EXIT_DONE);
    cr_assert_eq(SLUICE("gateway", "quarantine", "release", second, "--as", "mia", "--note", "x"), EXIT_REJECTED);
    cr_assert_eq(SLUICE("gateway", "quarantine", "show", "00000000-0000-0000-0000-000000000000"), EXIT_NOT_FOUND);
    cr_assert_eq(stack_int(st.conn, "SELECT count(*) FROM payment_outbox"), 1);
    stack_expect(st.conn, "dismissed",
                 "SELECT settled_by || ' ' || released FROM payment_quarantine WHERE payment_id = "
                 "'A-2'",
                 "mia false");
}

/* ---------------------------------------------------------------------------------------------------- erase */

Test(callback_again, bytes_are_erased_by_payment_or_age)
{
    paid("n1", "A-1", 100);
    paid("n2", "A-2", 100);
    cr_assert_eq(SLUICE("gateway", "erase", "--yes"), EXIT_USAGE);
    cr_assert_eq(SLUICE("gateway", "erase", "--payment", "A-1", "--before", "1h", "--yes"), EXIT_USAGE);
    cr_assert_eq(SLUICE("gateway", "erase", "--before", "1h", "--yes"), EXIT_DONE);
    cr_assert_eq(SLUICE("gateway", "erase", "--payment", "A-1", "--dry-run"), EXIT_DONE);
    cr_assert_eq(stack_int(st.conn, "SELECT count(*) FROM payment_callbacks WHERE erased_at IS NOT NULL"), 0);
    cr_assert_eq(SLUICE("gateway", "erase", "--payment", "A-1", "--yes"), EXIT_DONE);
    stack_expect(
        st.conn, "one",
        "SELECT string_agg(payment_id, ',') FROM payment_callbacks WHERE erased_at IS NOT NULL AND raw_body IS "
        "NULL AND raw_headers IS NULL AND key_id IS NULL",
        "A-1");
}
