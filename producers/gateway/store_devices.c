/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/store_devices.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/option.h"
#include "base/uuid.h"
#include "gateway/columns.h"
#include "gateway/device.h"
#include "gateway/json_sql.h"
#include "pg/conn.h"

#define COLUMNS 8
#define SQL_MAX 4096
#define NUMBER_MAX 24

/* d: push_devices */
#define DEVICE_JSON                                                                                  \
    "json_build_object('id', d.id, 'appid', " PUSH_DEVICE_APPID(                                     \
        "d") ", 'cid', d.cid, 'user_id', d.user_id, 'merchant_id', "                                 \
             "d.merchant_id, 'platform', d.platform, 'locale', d.locale, 'is_active', d.is_active, " \
             "'inactive_reason', "                                                                   \
             "d.inactive_reason, 'last_seen_at', " TIME_TEXT("d.last_seen_at::timestamptz") ")"

/* Who is said to be on the device; %1$s and %2$s: the types of user_id and merchant_id. */
#define SAID                                                                                            \
    "unnest($1::text[], $2::text[], $3::boolean[], $4::text[]::%s[], $5::boolean[], $6::text[]::%s[], " \
    "$7::text[], $8::text[]) AS u(appid, cid, has_user, user_id, has_merchant, merchant_id, platform, locale)"

static const char INSERT_SQL[] =
    "INSERT INTO push_devices (appid, cid, user_id, merchant_id, platform, locale, is_active, last_seen_at, "
    "updated_at) SELECT u.appid, u.cid, u.user_id, u.merchant_id, u.platform, u.locale, true, now(), now() FROM " SAID
    " ORDER BY u.appid COLLATE \"C\", u.cid COLLATE \"C\" ON CONFLICT (appid, cid) DO NOTHING RETURNING appid, cid";

/* Rows of the phones that have no appid: nearly always none. */
static const char UNNAMED_SQL[] =
    "SELECT FROM push_devices d JOIN unnest($1::text[], $2::text[]) AS u(appid, cid) ON d.cid = u.cid WHERE "
    "d.appid IS NULL AND u.appid = '" PUSH_APPID_DEFAULT "' LIMIT 1";

/* All rows of the phones, in the sink's order. */
static const char LOCK_ALL_SQL[] =
    "SELECT FROM unnest($1::text[], $2::text[]) AS u(appid, cid) JOIN push_devices d ON " PUSH_DEVICE_APPID(
        "d") " = "
             "u.appid AND d.cid = u.cid ORDER BY u.appid COLLATE \"C\", u.cid COLLATE \"C\", d.appid, d.ctid "
             "FOR NO KEY UPDATE OF d";

/* Such a row becomes the device's own where it is the one that counts; the others are passed over from then on. */
static const char NAME_SQL[] =
    "UPDATE push_devices d SET appid = u.appid FROM unnest($1::text[], $2::text[]) AS u(appid, cid) WHERE "
    "d.appid IS NULL AND d.cid = u.cid AND u.appid = '" PUSH_APPID_DEFAULT "' AND " PUSH_DEVICE_COUNTS("d");

/* In one order, so that two writers with the same devices do not wait for each other crosswise. */
static const char LOCK_SQL[] =
    "SELECT FROM push_devices d JOIN unnest($1::text[], $2::text[]) AS u(appid, cid) ON d.appid = u.appid AND "
    "d.cid = u.cid ORDER BY d.appid COLLATE \"C\", d.cid COLLATE \"C\" FOR NO KEY UPDATE OF d";

/* An identity stays that is not spoken of, unless the other one says that somebody else holds the device now. */
static const char UPDATE_SQL[] =
    "UPDATE push_devices d SET "
    "user_id = CASE WHEN u.has_user THEN u.user_id WHEN u.merchant_id <> d.merchant_id THEN NULL ELSE d.user_id END, "
    "merchant_id = CASE WHEN u.has_merchant THEN u.merchant_id WHEN u.user_id <> d.user_id THEN NULL "
    "ELSE d.merchant_id END, platform = coalesce(u.platform, d.platform), locale = coalesce(u.locale, d.locale), "
    "is_active = true, inactive_reason = NULL, inactive_at = NULL, strikes = 0, last_seen_at = now(), "
    "updated_at = now() FROM " SAID " WHERE d.appid = u.appid AND d.cid = u.cid";

static const char SHOW_SQL[] =
    "SELECT (SELECT " DEVICE_JSON " FROM push_devices d WHERE d.appid = u.appid AND d.cid = u.cid) "
    "FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u(appid, cid, ord) ORDER BY u.ord";

/* ---------------------------------------------------------------------------------------------------- types */

/* Those that a text is no value of by itself; others take texts as they are. */
static const char *const TYPES[] = {"uuid", "bigint", "integer", "smallint"};
static const char *const EXPECTED[ARRAY_SIZE(TYPES)] = {"a uuid", "a whole number", "a whole number", "a whole number"};

static int type_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(TYPES); i++) {
        if (strcmp(name, TYPES[i]) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* Once a session. */
static enum rc read_types(struct session *s, struct err *err)
{
    static const char SQL[] =
        "SELECT (SELECT format_type(a.atttypid, NULL) FROM pg_attribute a WHERE a.attrelid = "
        "'push_devices'::regclass AND a.attname = c.name) FROM unnest(ARRAY['user_id', 'merchant_id']) WITH ORDINALITY "
        "AS c(name, ord) ORDER BY c.ord";
    PGresult *res CLEANUP(pg_clearp) = NULL;
    if (s->has_identities) {
        return RC_OK;
    }
    TRY(session_query(s, SQL, 0, NULL, &res, err));
    for (int i = 0; i < IDENTITIES; i++) {
        s->identities[i] = type_of(pg_text(res, i, 0));
    }
    s->has_identities = true;
    return RC_OK;
}

static const char *type_name(const struct session *s, enum identity i)
{
    return s->identities[i] < 0 ? "text" : TYPES[s->identities[i]];
}

static bool fits(int type, const char *value)
{
    static const int64_t MAX[ARRAY_SIZE(TYPES)] = {0, INT64_MAX, INT32_MAX, INT16_MAX};
    int64_t number = 0;
    if (type < 0 || value == NULL) {
        return true;
    }
    return type == 0 ? uuid_check(value, strlen(value)) : option_parse_int(value, -MAX[type] - 1, MAX[type], &number);
}

static bool device_fits(const struct session *s, struct device *d)
{
    for (enum identity i = 0; i < IDENTITIES; i++) {
        if (!fits(s->identities[i], d->identity[i].value)) {
            d->refused = IDENTITY_COLUMNS[i];
            d->expected = EXPECTED[s->identities[i]];
            return false;
        }
    }
    return true;
}

/* ---------------------------------------------------------------------------------------------------- storing */

struct round {
    struct session *s;
    struct job **list; /* each device once */
    size_t n;
};

static void roundp(struct round *r)
{
    free(r->list);
}

static void add_device(struct columns *columns, const struct device *d)
{
    const char *const row[COLUMNS] = {d->appid,
                                      d->cid,
                                      d->identity[IDENTITY_USER].given ? "true" : "false",
                                      d->identity[IDENTITY_USER].value,
                                      d->identity[IDENTITY_MERCHANT].given ? "true" : "false",
                                      d->identity[IDENTITY_MERCHANT].value,
                                      d->platform,
                                      d->locale};
    columns_add(columns, row);
}

/* With the columns' types in it. */
static const char *typed(const struct session *s, const char *sql, char out[SQL_MAX])
{
    const char *first = strstr(sql, "%s");
    const char *second = strstr(first + 2, "%s");
    (void)snprintf(out, SQL_MAX, "%.*s%s%.*s%s%s", (int)(first - sql), sql, type_name(s, IDENTITY_USER),
                   (int)(second - first - 2), first + 2, type_name(s, IDENTITY_MERCHANT), second + 2);
    return out;
}

static bool same_device(const struct device *a, const struct device *b)
{
    return strcmp(a->appid, b->appid) == 0 && strcmp(a->cid, b->cid) == 0;
}

static bool was_made(const PGresult *res, const struct device *d)
{
    for (int row = 0; row < PQntuples(res); row++) {
        if (strcmp(pg_text(res, row, 1), d->cid) == 0 && strcmp(pg_text(res, row, 0), d->appid) == 0) {
            return true;
        }
    }
    return false;
}

static enum rc update(const struct round *r, const PGresult *made, struct err *err)
{
    CLEANUP(columns_done) struct columns columns;
    const char *params[COLUMNS];
    char sql[SQL_MAX];
    size_t n = 0;
    columns_begin(&columns, COLUMNS);
    for (size_t i = 0; i < r->n; i++) {
        if (!was_made(made, r->list[i]->device)) {
            add_device(&columns, r->list[i]->device);
            n++;
        }
    }
    columns_end(&columns, params);
    if (n == 0) {
        return RC_OK;
    }
    TRY(session_query(r->s, LOCK_SQL, 2, params, NULL, err));
    return session_query(r->s, typed(r->s, UPDATE_SQL, sql), COLUMNS, params, NULL, err);
}

static enum rc show(const struct round *r, const char *const *params, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    TRY(session_query(r->s, SHOW_SQL, 2, params, &res, err));
    for (size_t i = 0; i < r->n; i++) {
        const char *json = pg_text(res, (int)i, 0);
        if (json[0] == '\0') { /* somebody deletes them */
            FAIL(err, RC_RETRY, "a device is gone right after it was there");
        }
        r->list[i]->shown = arena_strndup(r->list[i]->arena, json, strlen(json));
    }
    return RC_OK;
}

/* Rows that a table from before has of these phones: one that stays beside the registered one would be another device.
 */
static enum rc name_rows(const struct round *r, const char *const *params, struct err *err)
{
    PGresult *found CLEANUP(pg_clearp) = NULL;
    TRY(session_query(r->s, UNNAMED_SQL, 2, params, &found, err));
    if (PQntuples(found) == 0) {
        return RC_OK;
    }
    TRY(session_query(r->s, LOCK_ALL_SQL, 2, params, NULL, err));
    return session_query(r->s, NAME_SQL, 2, params, NULL, err);
}

static enum rc store_round(const struct round *r, struct err *err)
{
    CLEANUP(columns_done) struct columns columns;
    PGresult *made CLEANUP(pg_clearp) = NULL;
    const char *params[COLUMNS];
    char sql[SQL_MAX];
    columns_begin(&columns, COLUMNS);
    for (size_t i = 0; i < r->n; i++) {
        add_device(&columns, r->list[i]->device);
    }
    columns_end(&columns, params);
    TRY(name_rows(r, params, err));
    TRY(session_query(r->s, typed(r->s, INSERT_SQL, sql), COLUMNS, params, &made, err));
    TRY(update(r, made, err));
    return show(r, params, err);
}

static bool has_device(const struct round *r, const struct device *d)
{
    for (size_t i = 0; i < r->n; i++) {
        if (same_device(r->list[i]->device, d)) {
            return true;
        }
    }
    return false;
}

/* What is said of one device several times is said one after the other: a round each. */
static enum rc store_rounds(struct session *s, struct job **left, size_t n_left, struct err *err)
{
    while (n_left > 0) {
        CLEANUP(roundp) struct round r = {.s = s, .list = xcalloc(n_left, sizeof(struct job *))};
        size_t kept = 0;
        for (size_t i = 0; i < n_left; i++) {
            if (has_device(&r, left[i]->device)) {
                left[kept++] = left[i];
            } else {
                r.list[r.n++] = left[i];
            }
        }
        TRY(store_round(&r, err));
        n_left = kept;
    }
    return RC_OK;
}

enum rc devices_store(struct session *s, struct job *const *jobs, size_t n, struct err *err)
{
    CLEANUP(freep) struct job **list = xcalloc(n, sizeof(struct job *));
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (jobs[i]->kind != JOB_DEVICE) {
            continue;
        }
        TRY(read_types(s, err));
        if (device_fits(s, jobs[i]->device)) {
            list[count++] = jobs[i];
        }
    }
    return store_rounds(s, list, count, err);
}

/* ---------------------------------------------------------------------------------------------------- questions */

enum rc devices_show(struct session *s, struct job *job, struct err *err)
{
    static const char SQL[] =
        "SELECT coalesce(json_agg(x.j), '[]') FROM (SELECT " DEVICE_JSON " AS j FROM push_devices d "
        "WHERE ($1::text IS NULL OR d.user_id = $1::%s) AND ($2::text IS NULL OR d.merchant_id = $2::%s) "
        "AND ($3::text IS NULL OR d.is_active = $3::boolean) AND ($4::text IS NULL OR " PUSH_DEVICE_APPID(
            "d") " = $4) "
                 "AND " PUSH_DEVICE_COUNTS("d") " "
                                                "ORDER BY d.last_seen_at DESC NULLS LAST, d.id LIMIT $5::bigint) x";
    const struct device *d = job->device;
    PGresult *res CLEANUP(pg_clearp) = NULL;
    char sql[SQL_MAX];
    char limit[NUMBER_MAX];
    const char *params[] = {d->identity[IDENTITY_USER].value, d->identity[IDENTITY_MERCHANT].value,
                            !d->has_active ? NULL : (d->active ? "true" : "false"), d->appid, limit};
    TRY(read_types(s, err));
    if (!device_fits(s, job->device)) {
        device_misfit(job);
        return RC_OK;
    }
    (void)snprintf(limit, sizeof limit, "%" PRId64, d->limit);
    TRY(session_query(s, typed(s, SQL, sql), 5, params, &res, err));
    device_shown(job, pg_text(res, 0, 0));
    return RC_OK;
}
