/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice sign wechat|alipay|appstore|applepay`: flags, files, and sending. */
#include "sign_channel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "commands.h"
#include "crypto/sha256.h"
#include "file.h"
#include "http/fetch.h"

#define BODY_BYTES_MAX ((size_t)256 << 10)
#define ANSWER_BYTES_MAX ((size_t)1 << 20)
#define SEND_TIMEOUT_MS 30000
#define SECONDS_MAX 253402300799LL /* the end of the year 9999 */
#define AMOUNT_USUAL 100
#define HEADERS_MAX 16

struct output {
    struct sign_request request;
    char notification[UUID_TEXT_LEN + 1];
    char txn[SHA256_HEX_BYTES];
    struct buf event, headers, body;
};

static void output_done(struct output *o)
{
    buf_done(&o->event);
    buf_done(&o->headers);
    buf_done(&o->body);
}

static void accounts_freep(struct accounts **accounts)
{
    *accounts = accounts_free(*accounts);
}

/* The channel's number of an order's payment: the same each time, so that a refund finds its payment. */
static void make_txn(enum channel channel, const char *payment, char out[SHA256_HEX_BYTES])
{
    unsigned char hash[SHA256_BYTES];
    const char *name = channel_name(channel);
    const struct sha256_part parts[] = {
        {name, strlen(name)}, {"\n", 1}, {payment == NULL ? "" : payment, payment == NULL ? 0 : strlen(payment)}};
    sha256_of_parts(parts, ARRAY_SIZE(parts), hash);
    if (channel == CHANNEL_APPLEPAY) {
        sha256_hex(hash, sizeof hash, out);
        return;
    }
    for (size_t i = 0; i < 28; i++) {
        out[i] = (char)('0' + hash[i] % 10);
    }
    out[28] = '\0';
}

/* A flag's text, NULL when it is not there or this channel has no such flag. */
static const char *flag(const struct cli *cli, const char *name)
{
    for (size_t i = 0; i < cli->command->n_flags; i++) {
        if (strcmp(cli->command->flags[i].name, name) == 0) {
            return cli_flag(cli, name);
        }
    }
    return NULL;
}

static bool currency_ok(const char *currency)
{
    return strlen(currency) == 3 && strspn(currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 3;
}

/* What the flags say, and what they leave open. */
static enum rc read_flags(const struct cli *cli, enum channel channel, struct output *o, struct err *err)
{
    struct sign_request *r = &o->request;
    *r = (struct sign_request){.directory = cli_flag(cli, "dir"),
                               .payment = cli_flag(cli, "payment"),
                               .currency = cli_flag(cli, "currency"),
                               .txn = cli_flag(cli, "txn"),
                               .notification = flag(cli, "notification"),
                               .refund = flag(cli, "refund"),
                               .type = flag(cli, "type"),
                               .key = flag(cli, "key"),
                               .amount = AMOUNT_USUAL,
                               .at_s = clock_utc_ms() / 1000};
    TRY(cli_flag_int(cli, "amount", 0, INT64_MAX, &r->amount, err));
    TRY(cli_flag_int(cli, "at", 0, SECONDS_MAX, &r->at_s, err));
    r->total = r->amount;
    if (flag(cli, "total") != NULL) {
        TRY(cli_flag_int(cli, "total", 0, INT64_MAX, &r->total, err));
    }
    r->currency = r->currency == NULL ? "CNY" : r->currency;
    if (!currency_ok(r->currency)) {
        FAIL(err, RC_REJECT, "--currency: expected three capitals, such as CNY");
    }
    uuid_make(o->notification);
    make_txn(channel, r->payment, o->txn);
    r->notification = r->notification == NULL ? o->notification : r->notification;
    r->txn = r->txn == NULL ? o->txn : r->txn;
    return RC_OK;
}

int sign_check_output(const struct cli *cli)
{
    struct err err = {0};
    if (cli_flag(cli, "send") == NULL && (cli_flag(cli, "headers") == NULL || cli_flag(cli, "body") == NULL)) {
        return cli_usage(cli, "--headers and --body, or --send are needed");
    }
    if (cli_flag(cli, "send") != NULL && fetch_url_check(cli_flag(cli, "send"), &err) != RC_OK) {
        return cli_usage(cli, "--send: %s", err.text);
    }
    return EXIT_DONE;
}

static int check_flags(const struct cli *cli, enum channel channel, struct output *o)
{
    static const char *const NEEDED[] = {"dir", "account"};
    struct err err = {0};
    for (size_t i = 0; i < ARRAY_SIZE(NEEDED); i++) {
        const char *value = cli_flag(cli, NEEDED[i]);
        if (value == NULL || value[0] == '\0') {
            return cli_usage(cli, "--%s is needed", NEEDED[i]);
        }
    }
    if (cli_flag(cli, "payment") == NULL && cli_flag(cli, "event") == NULL) {
        return cli_usage(cli, "--payment or --event is needed");
    }
    int code = sign_check_output(cli);
    if (code != EXIT_DONE) {
        return code;
    }
    return read_flags(cli, channel, o, &err) == RC_OK ? EXIT_DONE : cli_usage(cli, "%s", err.text);
}

/* ---------------------------------------------------------------------------------------------------- sending */

static enum rc add_token(const struct cli *cli, struct buf *headers, struct err *err)
{
    CLEANUP(buf_done) struct buf token;
    const char *path = flag(cli, "token-file");
    buf_init(&token, 4096);
    if (path == NULL) {
        return RC_OK;
    }
    TRY(file_read(path, &token, err));
    size_t n = strcspn(buf_str(&token), "\r\n");
    (void)buf_printf(headers, "Authorization: Bearer %.*s\n", (int)n, buf_str(&token));
    return RC_OK;
}

static enum rc send_call(const struct cli *cli, const struct buf *headers, const struct buf *body,
                         struct fetch_answer *out, struct err *err)
{
    CLEANUP(header_file_done) struct header_file lines = {0};
    CLEANUP(buf_done) struct buf text;
    struct fetcher *fetcher = fetcher_create();
    buf_init(&text, BODY_BYTES_MAX);
    (void)buf_add(&text, buf_str(headers), headers->len);
    enum rc rc = add_token(cli, &text, err);
    if (rc == RC_OK) {
        rc = header_file_parse(buf_str(&text), text.len, &lines, err);
    }
    if (rc == RC_OK) {
        const struct fetch_request request = {.method = "POST",
                                              .url = cli_flag(cli, "send"),
                                              .headers = lines.lines,
                                              .n_headers = lines.n,
                                              .body = buf_str(body),
                                              .body_n = body->len,
                                              .timeout_ms = SEND_TIMEOUT_MS,
                                              .answer_bytes_max = ANSWER_BYTES_MAX};
        rc = fetch(fetcher, &request, out, err);
    }
    fetcher = fetcher_free(fetcher);
    return rc;
}

int sign_send(const struct cli *cli, const char *what, const struct buf *headers, const struct buf *body)
{
    CLEANUP(fetch_answer_done) struct fetch_answer answer = {0};
    CLEANUP(buf_done) struct buf out;
    struct err err = {0};
    buf_init(&out, 8 * ANSWER_BYTES_MAX);
    if (send_call(cli, headers, body, &answer, &err) != RC_OK) {
        return cli_fail(what, &err);
    }
    (void)buf_printf(&out, "{\"status\": %u, \"body\": ", answer.status);
    (void)buf_json_string(&out, buf_str(&answer.body), answer.body.len);
    (void)buf_puts(&out, "}\n");
    int code = cli_print(&out);
    return code != EXIT_DONE ? code : (answer.status / 100 == 2 ? EXIT_DONE : EXIT_REJECTED);
}

/* ---------------------------------------------------------------------------------------------------- all of it */

static enum rc make(const struct cli *cli, enum channel channel, struct output *o, struct err *err)
{
    CLEANUP(accounts_freep) struct accounts *accounts = NULL;
    CLEANUP(freep) char *path = xasprintf("%s/accounts.json", o->request.directory);
    const char *event = cli_flag(cli, "event");
    if (event != NULL) {
        TRY(file_read(event, &o->event, err));
        o->request.event = buf_str(&o->event);
    }
    TRY(accounts_read_one(path, channel, cli_flag(cli, "account"), &accounts, err));
    o->request.account = accounts_find(accounts, channel, cli_flag(cli, "account"));
    if (o->request.account == NULL) {
        FAIL(err, RC_REJECT, "there is no %s.%.80s in %s", channel_name(channel), cli_flag(cli, "account"), path);
    }
    TRY(sign_make(&o->request, &o->headers, &o->body, err));
    if (cli_flag(cli, "headers") != NULL) {
        TRY(file_write(cli_flag(cli, "headers"), &o->headers, err));
    }
    return cli_flag(cli, "body") == NULL ? RC_OK : file_write(cli_flag(cli, "body"), &o->body, err);
}

static int sign(const struct cli *cli, enum channel channel)
{
    CLEANUP(output_done) struct output o = {0};
    struct err err = {0};
    char what[32];
    buf_init(&o.event, BODY_BYTES_MAX);
    buf_init(&o.headers, BODY_BYTES_MAX);
    buf_init(&o.body, BODY_BYTES_MAX);
    (void)snprintf(what, sizeof what, "sign %s", channel_name(channel));
    int code = check_flags(cli, channel, &o);
    if (code != EXIT_DONE) {
        return code;
    }
    if (make(cli, channel, &o, &err) != RC_OK) {
        return cli_fail(what, &err);
    }
    return cli_flag(cli, "send") == NULL ? EXIT_DONE : sign_send(cli, what, &o.headers, &o.body);
}

int cmd_sign_wechat(const struct cli *cli)
{
    return sign(cli, CHANNEL_WECHAT);
}

int cmd_sign_alipay(const struct cli *cli)
{
    return sign(cli, CHANNEL_ALIPAY);
}

int cmd_sign_appstore(const struct cli *cli)
{
    return sign(cli, CHANNEL_APPSTORE);
}

int cmd_sign_applepay(const struct cli *cli)
{
    return sign(cli, CHANNEL_APPLEPAY);
}
