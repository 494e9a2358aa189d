/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice sign express`: a carrier's call in its form, signed with the account's salt. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "channel/express.h"
#include "commands.h"
#include "file.h"
#include "sign_channel.h"

#define NODES_MAX 1000
#define STEP_S ((int64_t)3600)     /* between nodes that are made */
#define SECONDS_MAX 253402300799LL /* the end of the year 9999 */

struct request {
    enum carrier_form form;
    enum express_status status;
    int64_t at_s, nodes;
    char salt[EXPRESS_SALT_MAX + 1];
    size_t salt_n;
    struct buf content, headers, body;
};

static void request_done(struct request *r)
{
    explicit_bzero(r->salt, sizeof r->salt);
    buf_done(&r->content);
    buf_done(&r->headers);
    buf_done(&r->body);
}

static void accounts_freep(struct accounts **accounts)
{
    *accounts = accounts_free(*accounts);
}

static bool has(const struct cli *cli, const char *name)
{
    const char *value = cli_flag(cli, name);
    return value != NULL && value[0] != '\0';
}

static int check_flags(const struct cli *cli, struct request *r)
{
    struct err err = {0};
    const char *form = cli_flag(cli, "form");
    const char *status = cli_flag(cli, "status");
    int found = form == NULL ? -1 : carrier_form_find(form);
    if (found < 0) {
        return cli_usage(cli, "--form: expected json, kuaidi100, sf, kdniao or cainiao");
    }
    r->form = (enum carrier_form)found;
    if (!has(cli, "tracking-no") && !has(cli, "event")) {
        return cli_usage(cli, "--tracking-no or --event is needed");
    }
    r->status = status == NULL ? EXPRESS_IN_TRANSIT : express_status_find(status);
    if (r->status == EXPRESS_UNKNOWN) {
        return cli_usage(cli,
                         "--status: expected collected, in_transit, customs, out_for_delivery, exception, delivered "
                         "or returned");
    }
    if (cli_flag(cli, "unsigned") != NULL && has(cli, "dir")) {
        return cli_usage(cli, "--unsigned goes without --dir");
    }
    if (carrier_facts(r->form)->signature != NULL && !has(cli, "dir") && cli_flag(cli, "unsigned") == NULL) {
        return cli_usage(cli, "--dir or --unsigned is needed");
    }
    if (cli_flag(cli, "xml") != NULL && !carrier_facts(r->form)->xml_too) {
        return cli_usage(cli, "--xml: the form %s is never XML", form);
    }
    if (cli_flag_int(cli, "at", 0, SECONDS_MAX, &r->at_s, &err) != RC_OK ||
        cli_flag_int(cli, "nodes", 1, NODES_MAX, &r->nodes, &err) != RC_OK) {
        return cli_usage(cli, "%s", err.text);
    }
    return sign_check_output(cli);
}

static enum rc read_salt(const struct cli *cli, struct request *r, struct err *err)
{
    CLEANUP(accounts_freep) struct accounts *accounts = NULL;
    CLEANUP(freep) char *path = NULL;
    const char *name = has(cli, "account") ? cli_flag(cli, "account") : carrier_form_name(r->form);
    if (carrier_facts(r->form)->signature == NULL || !has(cli, "dir")) {
        return RC_OK;
    }
    path = xasprintf("%s/accounts.json", cli_flag(cli, "dir"));
    TRY(accounts_read_one(path, CHANNEL_EXPRESS, name, &accounts, err));
    const struct account *account = accounts_find(accounts, CHANNEL_EXPRESS, name);
    if (account == NULL) {
        FAIL(err, RC_REJECT, "there is no express.%.80s in %s", name, path);
    }
    const struct express_account *own = account->own;
    if (own->form != r->form) {
        FAIL(err, RC_REJECT, "--form: the account %.80s calls in the form %s", name, carrier_form_name(own->form));
    }
    memcpy(r->salt, own->salt, own->salt_n);
    r->salt_n = own->salt_n;
    return RC_OK;
}

/* On the way until the last, which has the status. */
static void make_content(const struct cli *cli, struct request *r)
{
    CLEANUP(freep) struct carrier_node *nodes = xcalloc((size_t)r->nodes, sizeof *nodes);
    CLEANUP(arena_done) struct arena arena;
    const char *context = cli_flag(cli, "context");
    arena_init(&arena, 4096);
    for (int64_t i = 0; i < r->nodes; i++) {
        bool last = i + 1 == r->nodes;
        char text[64];
        (void)snprintf(text, sizeof text, "node %lld", (long long)i + 1);
        nodes[i] = (struct carrier_node){
            .at_us = (r->at_s - (r->nodes - 1 - i) * STEP_S) * 1000000,
            .status = last ? r->status : (i == 0 ? EXPRESS_COLLECTED : EXPRESS_IN_TRANSIT),
            .code = last ? cli_flag(cli, "code") : NULL,
            .context = last && context != NULL ? context : arena_strndup(&arena, text, strlen(text))};
    }
    const struct carrier_saying saying = {.tracking_no = cli_flag(cli, "tracking-no"),
                                          .carrier = cli_flag(cli, "carrier"),
                                          .whole = cli_flag(cli, "whole") != NULL,
                                          .xml = cli_flag(cli, "xml") != NULL,
                                          .nodes = nodes,
                                          .n_nodes = (size_t)r->nodes,
                                          .now_s = r->at_s};
    carrier_make(r->form, &saying, &r->content);
}

static enum rc make(const struct cli *cli, struct request *r, struct err *err)
{
    char signature[CARRIER_SIGNATURE_MAX];
    TRY(read_salt(cli, r, err));
    if (has(cli, "event")) {
        TRY(file_read(cli_flag(cli, "event"), &r->content, err));
    } else {
        make_content(cli, r);
    }
    bool sign = r->salt_n > 0;
    const char *content = buf_str(&r->content);
    if (sign && !carrier_sign(r->form, content, r->content.len, r->salt, r->salt_n, signature)) {
        FAIL(err, RC_FATAL, "libcrypto has no MD5, which carriers sign with");
    }
    (void)buf_printf(&r->headers, "Content-Type: %s\n",
                     carrier_make_body(r->form, content, r->content.len, sign ? signature : NULL, &r->body));
    if (r->content.overflow || r->body.overflow) {
        FAIL(err, RC_REJECT, "the call would have more than %zu bytes", r->body.max);
    }
    if (has(cli, "headers")) {
        TRY(file_write(cli_flag(cli, "headers"), &r->headers, err));
    }
    return has(cli, "body") ? file_write(cli_flag(cli, "body"), &r->body, err) : RC_OK;
}

int cmd_sign_express(const struct cli *cli)
{
    CLEANUP(request_done) struct request r = {.at_s = clock_utc_ms() / 1000, .nodes = 1};
    struct err err = {0};
    buf_init(&r.content, CHANNEL_EXPRESS_BYTES_MAX);
    buf_init(&r.headers, 256);
    buf_init(&r.body, 4 * CHANNEL_EXPRESS_BYTES_MAX);
    int code = check_flags(cli, &r);
    if (code != EXIT_DONE) {
        return code;
    }
    if (make(cli, &r, &err) != RC_OK) {
        return cli_fail("sign express", &err);
    }
    return has(cli, "send") ? sign_send(cli, "sign express", &r.headers, &r.body) : EXIT_DONE;
}
