/* SPDX-License-Identifier: Apache-2.0 */
#include "carrier/reading.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "carrier/date.h"
#include "carrier/status.h"
#include "crypto/sha256.h"

#define DEPTH_MAX 8
#define MEMBERS_MAX 128
#define VALUES_MAX 65536
#define SHOWN_MAX 32 /* bytes of a foreign text in a message */

bool reading_refuse(struct reading *r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(r->detail, CARRIER_DETAIL_MAX, fmt, ap);
    va_end(ap);
    return false;
}

const char *reading_clean(struct reading *r, const char *text, size_t max)
{
    size_t left = strlen(text);
    char *out = arena_alloc(r->arena, (left < max ? left : max) + 1);
    size_t n = 0;
    while (left > 0) {
        size_t k = utf8_sequence(text, left);
        k = k == 0 ? 1 : k;
        if (n + k > max) {
            break;
        }
        bool blank = (unsigned char)*text <= 0x20 || *text == 0x7f;
        if (!blank) {
            memcpy(out + n, text, k);
            n += k;
        } else if (n > 0) {
            out[n++] = ' ';
        }
        text += k;
        left -= k;
    }
    while (n > 0 && out[n - 1] == ' ') {
        n--;
    }
    out[n] = '\0';
    return out;
}

/* --------------------------------------------------------------------------------------------------------- JSON */

struct body_value *reading_json(struct reading *r, const char *name, const char *text, size_t n)
{
    static const struct body_limits LIMITS = {.depth = DEPTH_MAX, .members = MEMBERS_MAX, .values = VALUES_MAX};
    struct problem problem = {0};
    struct body_value *value = NULL;
    const char *colon = name[0] == '\0' ? "" : ": ";
    if (body_parse_within(&LIMITS, text, n, r->arena, &value, &problem) != RC_OK) {
        (void)reading_refuse(r, "%s%s%.150s", name, colon, problem.detail);
        return NULL;
    }
    if (value->type != BODY_OBJECT) {
        (void)reading_refuse(r, "%s%sexpected a JSON object", name, colon);
        return NULL;
    }
    return value;
}

const struct body_value *reading_member(const struct body_value *object, const char *name)
{
    const struct body_value *v = object == NULL || object->type != BODY_OBJECT ? NULL : object->first;
    while (v != NULL && strcmp(v->key, name) != 0) {
        v = v->next;
    }
    return v == NULL || v->type == BODY_NULL ? NULL : v;
}

const char *reading_text(const struct body_value *object, const char *name)
{
    const struct body_value *v = reading_member(object, name);
    bool text = v != NULL && (v->type == BODY_STRING || v->type == BODY_NUMBER);
    return text && v->n > 0 ? v->text : NULL;
}

const char *reading_first(const struct body_value *object, const char *const *names)
{
    const char *text = NULL;
    for (size_t i = 0; names[i] != NULL && text == NULL; i++) {
        text = reading_text(object, names[i]);
    }
    return text;
}

/* ------------------------------------------------------------------------------------------------------ reports */

bool reading_reports(struct reading *r, const char *where, size_t n)
{
    if (n > CARRIER_REPORTS_MAX) {
        return reading_refuse(r, "%s: %zu parcels, expected at most %d in one call", where, n, CARRIER_REPORTS_MAX);
    }
    r->call->reports = arena_alloc(r->arena, (n + 1) * sizeof *r->call->reports);
    return true;
}

bool carrier_tracking_ok(const char *text)
{
    size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return n >= 1 && n <= CARRIER_TRACKING_MAX && text[n] == '\0';
}

struct carrier_report *reading_report(struct reading *r, const char *where, const char *tracking_no,
                                      const char *carrier_where, const char *carrier)
{
    if (tracking_no == NULL || !carrier_tracking_ok(tracking_no)) {
        (void)reading_refuse(r, "%s: %sexpected a tracking number, 1 to %d of A-Z a-z 0-9 . _ -", where,
                             tracking_no == NULL ? "missing, " : "", CARRIER_TRACKING_MAX);
        return NULL;
    }
    if (carrier != NULL && strlen(carrier) > CARRIER_NAME_MAX) {
        (void)reading_refuse(r, "%s: expected a carrier's code of at most %d bytes", carrier_where, CARRIER_NAME_MAX);
        return NULL;
    }
    const char *name = carrier == NULL ? "" : reading_clean(r, carrier, CARRIER_NAME_MAX);
    struct carrier_report *report = &r->call->reports[r->call->n_reports++];
    *report = (struct carrier_report){.tracking_no = tracking_no, .carrier = name[0] == '\0' ? NULL : name};
    return report;
}

bool report_room(struct reading *r, struct carrier_report *report, const char *where, size_t n)
{
    if (n > CARRIER_NODES_MAX || r->n_nodes + n > CARRIER_NODES_MAX) {
        return reading_refuse(r, "%s: %zu nodes, expected at most %d in one call", where, r->n_nodes + n,
                              CARRIER_NODES_MAX);
    }
    struct carrier_node *nodes = arena_alloc(r->arena, (report->n_nodes + n + 1) * sizeof *nodes);
    if (report->n_nodes > 0) {
        memcpy(nodes, report->nodes, report->n_nodes * sizeof *nodes);
    }
    report->nodes = nodes;
    r->n_nodes += n;
    return true;
}

/* -------------------------------------------------------------------------------------------------------- nodes */

/* Says once which it was; the others are counted. */
static void left_out(struct reading *r, struct carrier_report *report, const struct told *told)
{
    char place[32] = "";
    if (report->n_bad++ > 0) {
        return;
    }
    if (told->list[0] != '\0') {
        (void)snprintf(place, sizeof place, "[%zu].", told->place);
    }
    if (told->time == NULL) {
        (void)snprintf(report->bad_detail, sizeof report->bad_detail, "%s%s%s: missing", told->list, place,
                       told->member);
        return;
    }
    (void)snprintf(report->bad_detail, sizeof report->bad_detail,
                   "%s%s%s: expected a time from %d on, at most a day ahead, not \"%s\"", told->list, place,
                   told->member, CARRIER_YEAR_MIN, reading_clean(r, told->time, SHOWN_MAX));
}

/* Each part with its length, so that no two nodes look the same. */
static void hash(const struct carrier_report *report, struct carrier_node *node, const char *code, const char *text)
{
    char head[128];
    int n = snprintf(head, sizeof head, "%zu:%s;%lld;%zd;%zu;", strlen(report->tracking_no), report->tracking_no,
                     (long long)node->at_us, code == NULL ? (ssize_t)-1 : (ssize_t)strlen(code), strlen(text));
    const struct sha256_part parts[] = {
        {head, (size_t)n}, {code == NULL ? "" : code, code == NULL ? 0 : strlen(code)}, {text, strlen(text)}};
    sha256_of_parts(parts, ARRAY_SIZE(parts), node->hash);
}

struct carrier_node *report_add(struct reading *r, struct carrier_report *report, const struct told *told)
{
    struct carrier_node node = {.status = told->status};
    if (told->time == NULL || !date_read(told->time, &node.at_us) || !date_believable(node.at_us, r->now_s)) {
        left_out(r, report, told);
        return NULL;
    }
    const char *text = told->text == NULL ? "" : told->text;
    const char *whole = reading_clean(r, text, strlen(text));
    hash(report, &node, told->code, whole);
    node.context = reading_clean(r, whole, CARRIER_CONTEXT_MAX);
    node.code = told->code == NULL ? NULL : reading_clean(r, told->code, CARRIER_CODE_MAX);
    report->nodes[report->n_nodes] = node;
    return &report->nodes[report->n_nodes++];
}

void report_reverse(struct carrier_report *report, size_t from)
{
    for (size_t i = from, k = report->n_nodes; i + 1 < k; i++) {
        struct carrier_node node = report->nodes[i];
        report->nodes[i] = report->nodes[--k];
        report->nodes[k] = node;
    }
}

struct carrier_node *report_newest(struct carrier_report *report, size_t from)
{
    struct carrier_node *newest = NULL;
    for (size_t i = from; i < report->n_nodes; i++) {
        if (newest == NULL || report->nodes[i].at_us >= newest->at_us) {
            newest = &report->nodes[i];
        }
    }
    return newest;
}

void report_state(struct reading *r, struct carrier_report *report, size_t from, bool newest_there,
                  enum carrier_form form, const char *state)
{
    struct carrier_node *newest = report_newest(report, from);
    if (newest != NULL && newest->code == NULL && newest_there && state != NULL) {
        newest->code = reading_clean(r, state, CARRIER_CODE_MAX);
        newest->status = status_of_code(form, state);
    }
}

struct place {
    int64_t at_us;
    size_t index;
};

static int compare(const void *a, const void *b)
{
    const struct place *x = a;
    const struct place *y = b;
    if (x->at_us != y->at_us) {
        return x->at_us < y->at_us ? -1 : 1;
    }
    return x->index < y->index ? -1 : 1;
}

static bool there_already(const struct carrier_report *report, const struct carrier_node *node)
{
    for (size_t i = report->n_nodes; i > 0 && report->nodes[i - 1].at_us == node->at_us; i--) {
        if (memcmp(report->nodes[i - 1].hash, node->hash, CARRIER_HASH_BYTES) == 0) {
            return true;
        }
    }
    return false;
}

void report_end(struct reading *r, struct carrier_report *report)
{
    size_t n = report->n_nodes;
    const struct carrier_node *from = report->nodes;
    if (n < 2) {
        return;
    }
    struct place *places = arena_alloc(r->arena, n * sizeof *places);
    for (size_t i = 0; i < n; i++) {
        places[i] = (struct place){from[i].at_us, i};
    }
    qsort(places, n, sizeof *places, compare);
    report->nodes = arena_alloc(r->arena, n * sizeof *report->nodes);
    report->n_nodes = 0;
    for (size_t i = 0; i < n; i++) {
        if (!there_already(report, &from[places[i].index])) {
            report->nodes[report->n_nodes++] = from[places[i].index];
        }
    }
}

/* ------------------------------------------------------------------------------------------------------- events */

static struct carrier_report *report_of(const struct reading *r, const char *tracking_no)
{
    for (size_t i = 0; i < r->call->n_reports; i++) {
        if (strcmp(r->call->reports[i].tracking_no, tracking_no) == 0) {
            return &r->call->reports[i];
        }
    }
    return NULL;
}

/* The event's report, with room for all of its parcel when it is new. */
static struct carrier_report *open_report(struct reading *r, const char *where, const struct event *events, size_t n,
                                          size_t i)
{
    const struct event *e = &events[i];
    struct carrier_report *report = e->tracking_no == NULL ? NULL : report_of(r, e->tracking_no);
    size_t n_own = 0;
    if (report != NULL) {
        return report;
    }
    if (r->call->n_reports == CARRIER_REPORTS_MAX) {
        (void)reading_refuse(r, "%s: more than %d parcels in one call", where, CARRIER_REPORTS_MAX);
        return NULL;
    }
    report = reading_report(r, e->tracking_where, e->tracking_no, "carrier", e->carrier);
    for (size_t k = i; report != NULL && k < n; k++) {
        n_own += events[k].tracking_no != NULL && strcmp(events[k].tracking_no, e->tracking_no) == 0 ? 1 : 0;
    }
    return report != NULL && report_room(r, report, where, n_own) ? report : NULL;
}

bool reading_events(struct reading *r, const char *where, const struct event *events, size_t n)
{
    if (n > CARRIER_NODES_MAX) {
        return reading_refuse(r, "%s: %zu nodes, expected at most %d in one call", where, n, CARRIER_NODES_MAX);
    }
    if (!reading_reports(r, where, n < CARRIER_REPORTS_MAX ? n : CARRIER_REPORTS_MAX)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        struct carrier_report *report = open_report(r, where, events, n, i);
        if (report == NULL) {
            return false;
        }
        (void)report_add(r, report, &events[i].told);
    }
    for (size_t i = 0; i < r->call->n_reports; i++) {
        report_end(r, &r->call->reports[i]);
    }
    return true;
}
