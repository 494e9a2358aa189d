/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice doctor`, roles: who reads each topic, who publishes each table, who holds the ports. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "doctor.h"
#include "http/holder.h"
#include "http/listen.h"
#include "push/providers.h"
#include "runtime/record.h"
#include "status.h"

#define STUCK_AFTER_S 900
#define INSTANCES_MAX 64
#define TEXT_MAX ((size_t)4096)

/* Instances may run on other machines: their groups know of them. Nobody at work is only a warning, for nothing is
 * lost. */
static void say_readers(struct doctor *d, const struct status *st)
{
    for (size_t i = 0; i < STATUS_READERS; i++) {
        const struct status_reader *r = &st->readers[i];
        if (r->known && r->state[0] != '\0' && strcmp(r->state, "never started") != 0) {
            doctor_say(d, "roles", DOCTOR_FAIL, "%s, %s: %s", r->role, r->topic, r->state);
            doctor_hint(d, "docs/operations.md, \"Named states\"");
        } else if (r->members == 0) {
            doctor_say(d, "roles", DOCTOR_WARN, "no instance of %s reads %s; %" PRId64 "%s records wait", r->role,
                       r->topic, r->lag.records, r->lag.more ? " or more" : "");
            doctor_hint(d, "sluice run %s", r->role);
        } else if (r->members > 0) {
            doctor_say(d, "roles", DOCTOR_OK, "%s reads %s: %" PRId64 " instance%s, %" PRId64 "%s records before it",
                       r->role, r->topic, r->members, r->members == 1 ? "" : "s", r->lag.records,
                       r->lag.more ? " or more" : "");
        }
    }
}

static void say_sources(struct doctor *d, const struct status *st)
{
    CLEANUP(buf_done) struct buf orphans;
    int64_t waiting = 0;
    int owned = 0;

    buf_init(&orphans, TEXT_MAX);
    for (int i = 0; i < st->n_sources; i++) {
        const struct status_source *s = &st->sources[i];
        owned += s->owned ? 1 : 0;
        if (!s->owned) {
            buf_printf(&orphans, "%s%s", orphans.len == 0 ? "" : ", ", s->table);
            waiting += s->pending.n;
        }
    }
    if (owned == st->n_sources) {
        doctor_say(d, "roles", DOCTOR_OK, "a relay publishes all %d tables", owned);
    } else {
        doctor_say(d, "roles", DOCTOR_WARN, "no relay publishes %s; %" PRId64 " rows wait", buf_str(&orphans), waiting);
        doctor_hint(d, "sluice run relay");
    }
}

/* Published, and nothing has come of them: a role that is away or behind, a record that nobody could read. */
void doctor_stuck(struct doctor *d, const struct status *st)
{
    bool all_well = true;

    for (int i = 0; i < st->n_sources; i++) {
        const struct status_source *s = &st->sources[i];
        if (s->view == NULL || s->row_stuck == 0) {
            continue;
        }
        all_well = false;
        if (s->row_stuck == STATUS_UNKNOWN) {
            doctor_say(d, "stuck", DOCTOR_WARN, "%s is too large to be looked through for rows of which nothing comes",
                       s->table);
            doctor_hint(d, "sluice outbox replay --source %s --stuck --dry-run takes the time it needs", s->name);
            continue;
        }
        doctor_say(d, "stuck", DOCTOR_WARN,
                   "%" PRId64 " rows of %s were published more than %d min ago, and nothing has come of them",
                   s->row_stuck, s->table, (int)(st->stuck_after_s / 60));
        doctor_hint(
            d,
            "sluice outbox ls --source %s --status %s; does their role run, or is their record a dead letter that"
            " nobody could read (sluice dlq ls)? then sluice outbox replay --source %s --stuck",
            s->name, s->view->states[0], s->name);
    }
    if (all_well) {
        doctor_say(d, "stuck", DOCTOR_OK, "no row waits for its outcome for more than %d min",
                   (int)(st->stuck_after_s / 60));
    }
}

/* Of the environment that doctor was called in: nobody can ask the role what it has read. */
#define PROVIDERS_HERE "of this environment; the role push may have another"
static void check_providers(struct doctor *d)
{
    const char *file = config_str(d->cfg, "push.providers.file");
    const char *url = config_str(d->cfg, "push.cloud.url");
    const struct providers_options opt = {.file = file,
                                          .cloud_url = url,
                                          .cloud_secret = config_str(d->cfg, "push.cloud.secret"),
                                          .streams = config_int(d->cfg, "push.streams.max"),
                                          .timeout_ms = config_int(d->cfg, "push.timeout.ms")};
    struct providers p;
    struct err err;

    if (providers_load(&opt, &p, &err) != RC_OK) {
        doctor_say(d, "providers", DOCTOR_FAIL, "%s (" PROVIDERS_HERE ")", err.text);
        doctor_hint(d, "docs/express.md, \"Push providers\"; call doctor with the environment of the role push");
    } else if (file[0] == '\0' && url[0] == '\0') {
        doctor_say(d, "providers", DOCTOR_WARN,
                   "none is configured (" PROVIDERS_HERE "); without one every message to a phone is a dead letter");
        doctor_hint(d, "set push.providers.file or CLOUD_FUNC_URL for the role push, or call doctor as that role is "
                       "called");
    } else {
        doctor_say(d, "providers", DOCTOR_OK, "%s (" PROVIDERS_HERE ")",
                   file[0] != '\0' ? file : "the cloud function of CLOUD_FUNC_URL");
    }
    providers_done(&p);
}

/* Where the gateway of this machine would listen. */
static const char *const LISTENERS[] = {"gateway.listen", "express.listen", "device.listen"};

static bool is_gateway(const struct record *records, size_t n, pid_t pid)
{
    for (size_t i = 0; i < n; i++) {
        if (records[i].pid == pid) {
            return true;
        }
    }
    return false;
}

static void check_port(struct doctor *d, const char *option, const struct record *records, size_t n)
{
    const char *text = config_str(d->cfg, option);
    struct listen_address address;
    struct port_holder holder;
    struct err err;

    if (text[0] == '\0' || strcmp(text, "off") == 0) {
        doctor_say(d, "ports", DOCTOR_OK, "%s: not opened", option);
    } else if (listen_parse(text, &address, &err) != RC_OK) {
        doctor_say(d, "ports", DOCTOR_FAIL, "%s: %s", option, err.text);
        doctor_hint(d, "set option %s", option);
    } else if (!port_holder_find(address.port, &holder)) {
        doctor_say(d, "ports", DOCTOR_OK, "%s %s is free: no gateway listens there on this machine", option, text);
    } else if (holder.pid == 0) {
        doctor_say(d, "ports", DOCTOR_WARN, "%s %s is held by a process of another user", option, text);
        doctor_hint(d, "as root, `sluice doctor` names it");
    } else if (is_gateway(records, n, holder.pid)) {
        doctor_say(d, "ports", DOCTOR_OK, "%s %s is held by our gateway, pid %d", option, text, (int)holder.pid);
    } else {
        doctor_say(d, "ports", DOCTOR_FAIL, "%s %s is held by pid %d (%s)", option, text, (int)holder.pid,
                   holder.command);
        doctor_hint(d, "end it if it is an old one (kill %d), or choose another %s", (int)holder.pid, option);
    }
}

static void check_ports(struct doctor *d)
{
    CLEANUP(freep) char *dir = record_dir(d->cfg);
    CLEANUP(freep) struct record *records = xcalloc(INSTANCES_MAX, sizeof(*records));
    size_t n = 0;
    struct err err;

    if (record_list(dir, "gateway", records, INSTANCES_MAX, &n, &err) != RC_OK) {
        n = 0; /* then nobody is known to be ours */
    }
    for (size_t i = 0; i < ARRAY_SIZE(LISTENERS); i++) {
        check_port(d, LISTENERS[i], records, n);
    }
}

void doctor_roles(struct doctor *d)
{
    struct status *st = xcalloc(1, sizeof(*st));
    struct err err;

    if (status_init(st, d->cfg, STUCK_AFTER_S, &err) != RC_OK) {
        doctor_say(d, "sources", DOCTOR_FAIL, "%s", err.text);
        doctor_hint(d, "sources.file is wrong");
    } else {
        status_ask_database(st);
        status_ask_kafka(st);
        if (st->db_known) {
            say_sources(d, st);
            doctor_stuck(d, st);
        }
        if (st->kafka_known) {
            say_readers(d, st);
        }
    }
    status_done(st);
    free(st);
    check_providers(d);
    check_ports(d);
}
