/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice doctor`: everything that must be so before anything can arrive, with what to do where it is not. */
#include "doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "commands.h"
#include "shown.h"

#define OUTPUT_MAX ((size_t)1 << 20)

static const char *const STATE_NAMES[DOCTOR_STATES] = {"ok", "warn", "FAIL"};

void doctor_say(struct doctor *d, const char *name, enum doctor_state state, const char *fmt, ...)
{
    va_list ap;

    if (d->n == DOCTOR_CHECKS_MAX) {
        return;
    }
    struct doctor_check *c = &d->list[d->n++];
    *c = (struct doctor_check){.name = name, .state = state};
    va_start(ap, fmt);
    (void)vsnprintf(c->text, sizeof(c->text), fmt, ap);
    va_end(ap);
}

void doctor_hint(struct doctor *d, const char *fmt, ...)
{
    va_list ap;
    struct doctor_check *c = &d->list[d->n - 1];

    va_start(ap, fmt);
    (void)vsnprintf(c->hint, sizeof(c->hint), fmt, ap);
    va_end(ap);
}

static void print_text(const struct doctor *d, struct buf *out)
{
    for (size_t i = 0; i < d->n; i++) {
        CLEANUP(freep) char *text = shown(d->list[i].text);
        CLEANUP(freep) char *hint = shown(d->list[i].hint);
        buf_printf(out, "%-5s %-16s %s\n", STATE_NAMES[d->list[i].state], d->list[i].name, text);
        if (hint[0] != '\0') {
            buf_printf(out, "%-5s %-16s -> %s\n", "", "", hint);
        }
    }
}

static void print_json(const struct doctor *d, bool ok, struct buf *out)
{
    buf_printf(out, "{\"ok\":%s,\"checks\":[", ok ? "true" : "false");
    for (size_t i = 0; i < d->n; i++) {
        const struct doctor_check *c = &d->list[i];
        buf_printf(out, "%s\n {\"check\":\"%s\",\"state\":\"%s\",\"text\":", i == 0 ? "" : ",", c->name,
                   c->state == DOCTOR_FAIL ? "fail" : STATE_NAMES[c->state]);
        buf_json_string(out, c->text, strlen(c->text));
        buf_puts(out, ",\"hint\":");
        if (c->hint[0] != '\0') {
            buf_json_string(out, c->hint, strlen(c->hint));
        } else {
            buf_puts(out, "null");
        }
        buf_putc(out, '}');
    }
    buf_puts(out, "]}\n");
}

int cmd_doctor(const struct cli *cli)
{
    CLEANUP(buf_done) struct buf out;
    struct doctor d = {.cfg = cli->cfg};
    size_t count[DOCTOR_STATES] = {0};

    buf_init(&out, OUTPUT_MAX);
    d.list = xcalloc(DOCTOR_CHECKS_MAX, sizeof(*d.list));
    doctor_database(&d);
    doctor_kafka(&d);
    doctor_roles(&d);
    for (size_t i = 0; i < d.n; i++) {
        count[d.list[i].state]++;
    }
    if (cli->json) {
        print_json(&d, count[DOCTOR_FAIL] == 0, &out);
    } else {
        print_text(&d, &out);
    }
    free(d.list);
    int code = cli_print(&out);
    if (code == EXIT_DONE) {
        cli_note(cli, "doctor: %zu ok, %zu warnings, %zu failures", count[DOCTOR_OK], count[DOCTOR_WARN],
                 count[DOCTOR_FAIL]);
    }
    return code == EXIT_DONE && count[DOCTOR_FAIL] > 0 ? EXIT_REJECTED : code;
}
