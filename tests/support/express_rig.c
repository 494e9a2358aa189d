/* SPDX-License-Identifier: Apache-2.0 */
#include "support/express_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "channel/express.h"
#include "crypto/sha256.h"
#include "gateway/store.h"

#define REPORTS_MAX 8

void express_rig_open(struct express_rig *rig, const struct stack *st)
{
    static struct express_account own = {.form = CARRIER_KUAIDI100};
    struct err err;
    *rig = (struct express_rig){.g = {.now_us = clock_utc_us, .express = {.nodes_max = 10}},
                                .carrier = {.channel = CHANNEL_EXPRESS, .name = "kd", .own = &own}};
    arena_init(&rig->arena, 16384);
    rig->options = (struct session_options){.url = st->url, .schema = "public", .statement_timeout_ms = 20000};
    rig->session = (struct session){.opt = &rig->options};
    cr_assert_eq(session_open(&rig->session, &err), RC_OK, "%s", err.text);
}

void express_rig_close(struct express_rig *rig)
{
    session_close(&rig->session);
    arena_done(&rig->arena);
}

static struct job *make(struct express_rig *rig, const struct account *account, const char *body)
{
    static const struct header_line HEADERS[] = {{"Content-Type", "application/json"}, {"Authorization", "Bearer x"}};
    struct job *j = arena_alloc(&rig->arena, sizeof *j);
    struct callback *c = arena_alloc(&rig->arena, sizeof *c);
    struct carrier_call *call = arena_alloc(&rig->arena, sizeof *call);
    *call = (struct carrier_call){.reports = arena_alloc(&rig->arena, REPORTS_MAX * sizeof(struct carrier_report))};
    *j = (struct job){.arena = &rig->arena, .kind = JOB_EXPRESS, .caller = "", .callback = c, .wait_s = -1};
    *c = (struct callback){
        .channel = CHANNEL_EXPRESS,
        .account = account,
        .capture = {.headers = HEADERS, .n_headers = 2, .body = body, .body_n = strlen(body), .address = "10.1.2.3"},
        .received_us = clock_utc_us(),
        .verdict = {.listed = true, .express = call},
        .express = {.form = carrier_form_name(express_form(account)), .nodes_max = rig->g.express.nodes_max}};
    uuid_make(j->id);
    callback_keep(&rig->g, j);
    return j;
}

void express_also(struct express_rig *rig, struct job *job, const char *tracking_no, const struct express_said *said,
                  size_t n)
{
    struct carrier_call *call = (struct carrier_call *)(uintptr_t)job->callback->verdict.express;
    cr_assert(call->n_reports < REPORTS_MAX);
    struct carrier_report *r = &call->reports[call->n_reports++];
    *r = (struct carrier_report){.tracking_no = tracking_no,
                                 .carrier = "yuantong",
                                 .full = true,
                                 .nodes = arena_alloc(&rig->arena, (n + 1) * sizeof(struct carrier_node)),
                                 .n_nodes = n};
    for (size_t i = 0; i < n; i++) {
        char all[300];
        struct carrier_node *node = &r->nodes[i];
        *node = (struct carrier_node){.at_us = (EXPRESS_RIG_NOW + said[i].at_s) * 1000000,
                                      .status = said[i].status,
                                      .code = "0",
                                      .context = said[i].text};
        int len =
            snprintf(all, sizeof all, "%s|%d|%d|%s", tracking_no, said[i].at_s, (int)said[i].status, said[i].text);
        sha256_of(all, (size_t)len, node->hash);
    }
}

struct job *express_call(struct express_rig *rig, const char *body, const char *tracking_no,
                         const struct express_said *said, size_t n)
{
    struct job *job = make(rig, &rig->carrier, body);
    express_also(rig, job, tracking_no, said, n);
    return job;
}

struct job *express_own_call(struct express_rig *rig, const char *body, const char *tracking_no,
                             struct express_said said)
{
    struct job *job = make(rig, channel_express_own(), body);
    express_also(rig, job, tracking_no, &said, 1);
    return job;
}

void express_put(struct express_rig *rig, struct job **jobs, size_t n)
{
    struct err err;
    bool unknown = false;
    cr_assert_eq(jobs_store(&rig->session, jobs, n, &unknown, &err), RC_OK, "%s", err.text);
}

enum channel_reason express_put_one(struct express_rig *rig, struct job *job)
{
    express_put(rig, &job, 1);
    return job->callback->result;
}
