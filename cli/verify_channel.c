/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice verify wechat|alipay|appstore|applepay|express`: the gateway's verdict on captured bytes. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "channel/express.h"
#include "commands.h"
#include "file.h"

#define OUT_BYTES_MAX ((size_t)16 << 20) /* of a thousand nodes with long texts */
#define SECONDS_MAX 253402300799LL       /* the end of the year 9999 */

struct request {
    struct header_file headers;
    bool headers_bad; /* what no server would take for headers */
    struct err headers_why;
    struct buf body; /* of more than a call may have, only that it is more */
    bool too_large;
    const char *address;
    int64_t now_s;
};

static void accounts_freep(struct accounts **accounts)
{
    *accounts = accounts_free(*accounts);
}

static void request_done(struct request *r)
{
    header_file_done(&r->headers);
    buf_done(&r->body);
}

static enum rc read_headers(const char *path, struct request *r, struct err *err)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, HEADER_FILE_BYTES_MAX);
    TRY(file_read(path, &text, err));
    r->headers_bad = header_file_parse(buf_str(&text), text.len, &r->headers, &r->headers_why) != RC_OK;
    return RC_OK;
}

static enum rc read_body(const char *path, struct request *r, struct err *err)
{
    enum rc rc = file_read(path, &r->body, err);
    r->too_large = r->body.overflow;
    return r->too_large ? RC_OK : rc;
}

static void add_text(struct buf *out, const char *name, const char *value)
{
    (void)buf_printf(out, "\"%s\": ", name);
    (void)buf_json_string(out, value, strlen(value));
}

static int print_verdict(const struct account *account, const struct verdict *v, struct arena *arena)
{
    bool accepted = reason_acknowledged(v->reason);
    struct channel_answer answer;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, OUT_BYTES_MAX);
    channel_answer(account, v, arena, &answer);
    (void)buf_printf(&out, "{\"verdict\": \"%s\", \"reason\": \"%s\", ", accepted ? "accept" : "reject",
                     reason_name(v->reason));
    add_text(&out, "detail", v->detail);
    (void)buf_printf(&out, ", \"answer\": {\"status\": %u, ", answer.status);
    add_text(&out, "body", answer.body);
    (void)buf_putc(&out, '}');
    if (accepted) {
        (void)buf_puts(&out, ", \"event\": ");
        if (v->express != NULL) {
            carrier_call_json(v->express, &out);
        } else {
            channel_event_json(&v->event, &out);
        }
    }
    (void)buf_puts(&out, "}\n");
    int code = cli_print(&out);
    return code != EXIT_DONE ? code : (accepted ? EXIT_DONE : EXIT_REJECTED);
}

static int judge(const struct account *account, const struct request *r)
{
    const struct capture c = {.headers = r->headers.lines,
                              .n_headers = r->headers.n,
                              .body = buf_str(&r->body),
                              .body_n = r->too_large ? channel_body_max(account->channel) + 1 : r->body.len,
                              .address = r->address};
    struct account quiet = *account;
    struct verdict v;
    CLEANUP(arena_done) struct arena arena;
    arena_init(&arena, (size_t)64 << 10);
    if (r->address == NULL) {
        quiet.has_list = false;
    }
    if (r->headers_bad) {
        v = (struct verdict){.listed = true};
        (void)verdict_refuse(&v, REASON_HEADER_MALFORMED, "%.160s", r->headers_why.text);
    } else {
        (void)channel_verify(&quiet, &c, r->now_s, &arena, &v);
    }
    return print_verdict(account, &v, &arena);
}

/* Says which flag is missing, or wrong. */
static int check_flags(const struct cli *cli, bool own_too, int64_t *out_now_s)
{
    static const char *const NEEDED[] = {"headers", "body", "accounts", "account"};
    struct err err = {0};
    unsigned char bytes[sizeof(struct in6_addr)];
    const char *address = cli_flag(cli, "address");
    bool own = own_too && cli_flag(cli, "accounts") == NULL && cli_flag(cli, "account") == NULL;
    for (size_t i = 0; i < (own ? 2 : ARRAY_SIZE(NEEDED)); i++) {
        const char *value = cli_flag(cli, NEEDED[i]);
        if (value == NULL || value[0] == '\0') {
            return cli_usage(cli, "--%s is needed", NEEDED[i]);
        }
    }
    if (address != NULL && inet_pton(AF_INET, address, bytes) != 1 && inet_pton(AF_INET6, address, bytes) != 1) {
        return cli_usage(cli, "--address: expected an IP address without port");
    }
    if (cli_flag_int(cli, "at", 0, SECONDS_MAX, out_now_s, &err) != RC_OK) {
        return cli_usage(cli, "%s", err.text);
    }
    return EXIT_DONE;
}

/* RC_OK and NULL: there is none of this name. Without one, our own form. */
static enum rc find_account(const struct cli *cli, enum channel channel, struct accounts **accounts,
                            const struct account **out, struct err *err)
{
    if (cli_flag(cli, "account") == NULL) {
        *out = channel_express_own();
        return RC_OK;
    }
    TRY(accounts_read_one(cli_flag(cli, "accounts"), channel, cli_flag(cli, "account"), accounts, err));
    *out = accounts_find(*accounts, channel, cli_flag(cli, "account"));
    return RC_OK;
}

static int verify(const struct cli *cli, enum channel channel)
{
    char what[32];
    CLEANUP(request_done) struct request r = {.address = cli_flag(cli, "address"), .now_s = clock_utc_ms() / 1000};
    CLEANUP(accounts_freep) struct accounts *accounts = NULL;
    const struct account *account = NULL;
    struct err err = {0};
    buf_init(&r.body, channel_body_max(channel));
    (void)snprintf(what, sizeof what, "verify %s", channel_name(channel));
    int code = check_flags(cli, channel == CHANNEL_EXPRESS, &r.now_s);
    if (code != EXIT_DONE) {
        return code;
    }
    if (find_account(cli, channel, &accounts, &account, &err) != RC_OK ||
        read_headers(cli_flag(cli, "headers"), &r, &err) != RC_OK ||
        read_body(cli_flag(cli, "body"), &r, &err) != RC_OK) {
        return cli_fail(what, &err);
    }
    if (account == NULL) {
        (void)err_set(&err, RC_FATAL, __FILE__, __LINE__, "there is no %s.%.80s in the accounts file",
                      channel_name(channel), cli_flag(cli, "account"));
        (void)cli_fail(what, &err);
        return EXIT_NOT_FOUND;
    }
    return judge(account, &r);
}

int cmd_verify_wechat(const struct cli *cli)
{
    return verify(cli, CHANNEL_WECHAT);
}

int cmd_verify_alipay(const struct cli *cli)
{
    return verify(cli, CHANNEL_ALIPAY);
}

int cmd_verify_appstore(const struct cli *cli)
{
    return verify(cli, CHANNEL_APPSTORE);
}

int cmd_verify_applepay(const struct cli *cli)
{
    return verify(cli, CHANNEL_APPLEPAY);
}

int cmd_verify_express(const struct cli *cli)
{
    return verify(cli, CHANNEL_EXPRESS);
}
