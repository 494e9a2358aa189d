/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice dlq ls` and `sluice dlq groups`: what lies in the dead-letter topics, and how it stands with it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "dlq_query.h"
#include "shown.h"
#include "when.h"

#define LIMIT_DEFAULT 1000
#define BATCH_BYTES_MAX ((size_t)8 << 20)
#define OUTPUT_MAX ((size_t)16 << 20)
#define REASON_SHOWN 80

struct listing {
    const struct cli *cli;
    bool all;
    int64_t limit, shown;
    int64_t hidden[LETTER_STATES];
    struct buf out;
    struct groups groups;
};

/* What somebody must do something about. */
static bool is_open(enum letter_state state)
{
    return state == LETTER_OPEN || state == LETTER_NO_ROW;
}

static void print_letter(struct listing *p, const struct letter *l)
{
    char place[64];
    char died[WHEN_TEXT_MAX];
    char reason[REASON_SHOWN];

    if (p->cli->json) {
        buf_puts(&p->out, p->shown > 0 ? ",\n" : "\n");
        dlq_letter_json(l, &p->out);
        return;
    }
    (void)snprintf(place, sizeof(place), "%s:%" PRId32 ":%" PRId64, l->dlq, l->at_partition, l->at_offset);
    when_text(l->last_us, died);
    letter_text(l->message, strlen(l->message), reason, sizeof(reason));
    buf_printf(&p->out, "%-22s %-20s  %-11s %-18s %-12s %-36s  %s\n", place, died, LETTER_STATE_NAMES[l->state],
               shown_or_dash(l->class), shown_or_dash(l->platform),
               shown_or_dash(l->event_id[0] != '\0' ? l->event_id : l->id), reason);
}

static enum rc write_out(struct listing *p, struct err *err)
{
    if (p->out.overflow || fwrite(buf_str(&p->out), 1, p->out.len, stdout) != p->out.len || fflush(stdout) != 0) {
        FAIL(err, RC_FATAL, "cannot write to standard output: %s", strerror(errno));
    }
    buf_clear(&p->out);
    return RC_OK;
}

static enum rc on_batch(struct letter *letters, size_t n, void *opaque, bool *stop, struct err *err)
{
    struct listing *p = opaque;
    for (size_t i = 0; i < n && p->shown < p->limit; i++) {
        if (!p->all && !is_open(letters[i].state)) {
            p->hidden[letters[i].state]++;
            continue;
        }
        print_letter(p, &letters[i]);
        p->shown++;
    }
    *stop = p->shown >= p->limit;
    return write_out(p, err);
}

/* "2 not-settled, 1 row-gone": each list that is shorter than the topic says why. */
static void note_hidden(const struct listing *p)
{
    char text[256] = "";
    for (size_t i = 0; i < LETTER_STATES; i++) {
        size_t at = strlen(text);
        if (p->hidden[i] > 0) {
            (void)snprintf(text + at, sizeof(text) - at, "%s%" PRId64 " %s", at > 0 ? ", " : "", p->hidden[i],
                           LETTER_STATE_NAMES[i]);
        }
    }
    if (text[0] != '\0') {
        cli_note(p->cli, "not shown: %s; --all shows them", text);
    }
}

static void end_json(struct listing *p)
{
    buf_printf(&p->out, "%s],\"shown\":%" PRId64 ",\"limited\":%s,\"hidden\":{", p->shown > 0 ? "\n" : "", p->shown,
               p->shown >= p->limit ? "true" : "false");
    for (size_t i = 0, n = 0; i < LETTER_STATES; i++) {
        if (p->hidden[i] > 0) {
            buf_printf(&p->out, "%s\"%s\":%" PRId64, n++ > 0 ? "," : "", LETTER_STATE_NAMES[i], p->hidden[i]);
        }
    }
    buf_puts(&p->out, "}}\n");
}

static int list(struct dlq_query *q, struct listing *p)
{
    struct err err;
    CLEANUP(deaths_freep) struct deaths *deaths = deaths_create();

    buf_puts(&p->out, p->cli->json ? "{\"dead_letters\":["
                                   : "PLACE                  DIED                  STATE       CLASS              "
                                     "PLATFORM     ID                                    REASON\n");
    enum rc rc = dlq_query_read(q, deaths, on_batch, p, &err);
    if (rc == RC_OK && p->cli->json) {
        end_json(p);
    }
    rc = rc == RC_OK ? write_out(p, &err) : rc;
    if (rc != RC_OK) {
        return cli_fail("dlq ls", &err);
    }
    note_hidden(p);
    if (p->shown >= p->limit) {
        cli_note(p->cli, "stopped after %" PRId64 "; --limit shows more, `sluice dlq groups` counts", p->limit);
    }
    return dlq_interrupted ? EXIT_INTERRUPTED : EXIT_DONE;
}

int cmd_dlq_ls(const struct cli *cli)
{
    CLEANUP(dlq_query_done) struct dlq_query q;
    struct listing p = {.cli = cli, .limit = LIMIT_DEFAULT, .all = cli_flag(cli, "all") != NULL};
    struct err err;
    int code = dlq_query_parse(cli, cli->argc > 0 ? cli->argv[0] : NULL, &q);

    if (code == EXIT_DONE && cli_flag_int(cli, "limit", 1, INT64_MAX, &p.limit, &err) != RC_OK) {
        code = cli_usage(cli, "%s", err.text);
    }
    code = code == EXIT_DONE ? dlq_query_open(&q) : code;
    if (code != EXIT_DONE) {
        return code;
    }
    buf_init(&p.out, BATCH_BYTES_MAX);
    code = list(&q, &p);
    buf_done(&p.out);
    return code;
}

static enum rc count_batch(struct letter *letters, size_t n, void *opaque, bool *stop, struct err *err)
{
    struct listing *p = opaque;
    (void)stop;
    (void)err;
    for (size_t i = 0; i < n; i++) {
        if (p->all || is_open(letters[i].state)) {
            groups_add(&p->groups, &letters[i]);
        } else {
            p->hidden[letters[i].state]++;
        }
    }
    return RC_OK;
}

static int print_groups(struct listing *p)
{
    groups_sort(&p->groups);
    buf_puts(&p->out, p->cli->json ? "{" : "");
    dlq_groups_print(&p->groups, p->cli->json, false, &p->out);
    if (p->cli->json) {
        buf_printf(&p->out, ",\"total\":%" PRId64 "}\n", p->groups.total);
    }
    int code = cli_print(&p->out);
    if (p->groups.total == 0) {
        cli_note(p->cli, "no %sdead letter matches", p->all ? "" : "open ");
    }
    note_hidden(p);
    return code;
}

int cmd_dlq_groups(const struct cli *cli)
{
    CLEANUP(dlq_query_done) struct dlq_query q;
    struct listing p = {.cli = cli, .all = cli_flag(cli, "all") != NULL};
    struct err err;
    int code = dlq_query_parse(cli, cli->argc > 0 ? cli->argv[0] : NULL, &q);

    code = code == EXIT_DONE ? dlq_query_open(&q) : code;
    if (code != EXIT_DONE) {
        return code;
    }
    buf_init(&p.out, OUTPUT_MAX);
    if (dlq_query_read(&q, NULL, count_batch, &p, &err) != RC_OK) {
        code = cli_fail("dlq groups", &err);
    } else {
        code = dlq_interrupted ? EXIT_INTERRUPTED : print_groups(&p);
    }
    groups_done(&p.groups);
    buf_done(&p.out);
    return code;
}
