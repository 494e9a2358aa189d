/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice gateway accounts check`. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "channel/account.h"
#include "commands.h"

#define OUT_BYTES_MAX ((size_t)4 << 20)
#define SECONDS_MAX 253402300799LL /* the end of the year 9999 */

struct findings {
    struct buf *out;
    bool json;
    size_t n, wrong;
};

static void accounts_freep(struct accounts **accounts)
{
    *accounts = accounts_free(*accounts);
}

static void say(void *opaque, const struct account *account, bool wrong, const char *text)
{
    struct findings *f = opaque;
    const char *channel = channel_name(account->channel);
    if (f->json) {
        (void)buf_printf(f->out, "%s{\"account\": \"%s.%s\", \"wrong\": %s, \"finding\": ", f->n == 0 ? "" : ", ",
                         channel, account->name, wrong ? "true" : "false");
        (void)buf_json_string(f->out, text, strlen(text));
        (void)buf_putc(f->out, '}');
    } else {
        (void)buf_printf(f->out, "%-7s  %s.%s.%s\n", wrong ? "wrong" : "warning", channel, account->name, text);
    }
    f->n++;
    f->wrong += wrong;
}

int cmd_gateway_accounts_check(const struct cli *cli)
{
    CLEANUP(accounts_freep) struct accounts *accounts = NULL;
    CLEANUP(buf_done) struct buf out;
    struct err err = {0};
    int64_t now_s = clock_utc_ms() / 1000;
    struct findings f = {.out = &out, .json = cli->json};
    buf_init(&out, OUT_BYTES_MAX);
    if (cli_flag_int(cli, "at", 0, SECONDS_MAX, &now_s, &err) != RC_OK) {
        return cli_usage(cli, "%s", err.text);
    }
    if (accounts_read(cli->argv[0], &accounts, &err) != RC_OK) {
        return cli_fail("gateway accounts check", &err);
    }
    if (f.json) {
        (void)buf_printf(&out, "{\"accounts\": %zu, \"findings\": [", accounts_count(accounts));
    }
    for (size_t i = 0; i < accounts_count(accounts); i++) {
        const struct account *account = accounts_at(accounts, i);
        CHANNEL_OPS[account->channel].check(account, now_s, say, &f);
    }
    if (f.json) {
        (void)buf_printf(&out, "], \"wrong\": %zu}\n", f.wrong);
    } else {
        (void)buf_printf(&out, "%zu accounts read, %zu wrong, %zu to look at\n", accounts_count(accounts), f.wrong,
                         f.n - f.wrong);
    }
    int code = cli_print(&out);
    return code != EXIT_DONE ? code : (f.wrong == 0 ? EXIT_DONE : EXIT_REJECTED);
}
