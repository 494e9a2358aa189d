/* SPDX-License-Identifier: Apache-2.0 */
/*
 * App Store Server Notifications V2: {"signedPayload": JWS}, with transaction and renewal signed once more inside.
 * There is no time window: Apple sends again for days, and the notification's UUID tells what was there already.
 */
#include <stdio.h>
#include <string.h>

#include "channel/apple.h"
#include "channel/appstore_event.h"
#include "channel/appstore_jws.h"
#include "channel/channels.h"
#include "channel/event_text.h"

#define WORD_MAX 64
#define OUTER "signedPayload"

struct call {
    const struct appstore_account *own;
    int64_t now_s;
    struct arena *arena;
    struct verdict *v;
};

/* ---------------------------------------------------------------------------------------------------- identity */

/* Bundle, then environment; either may be missing where it is not required. */
static enum channel_reason check_identity(const struct call *c, struct fields *f, const char *environment_name,
                                          enum field_need need, const char *where)
{
    const char *bundle = field_text(f, "bundleId", need, APPSTORE_BUNDLE_MAX, NULL, "a bundle id");
    const char *environment = environment_name == NULL
                                  ? NULL
                                  : field_text(f, environment_name, need, WORD_MAX, NULL, "an environment's name");
    if (f->problem->status != 0) {
        return apple_malformed(c->v, where, f->problem);
    }
    if (bundle != NULL && strcmp(bundle, c->own->bundle_id) != 0) {
        return verdict_refuse(c->v, REASON_BUNDLE_MISMATCH, "%s: %sbundleId: another app's", where, f->path);
    }
    if (environment != NULL && strcmp(environment, appstore_environment(c->own->production)) != 0) {
        return verdict_refuse(c->v, REASON_ENV_MISMATCH, "%s: %s%s: expected %s", where, f->path, environment_name,
                              appstore_environment(c->own->production));
    }
    return REASON_OK;
}

/* The app's number, which only Production has for certain. */
static enum channel_reason check_app_id(const struct call *c, struct fields *f, const char *where)
{
    int64_t id = 0;
    bool there = field_int(f, "appAppleId", FIELD_OPTIONAL, 0, INT64_MAX, &id);
    if (f->problem->status != 0) {
        return apple_malformed(c->v, where, f->problem);
    }
    if (c->own->production && (!there || id != c->own->app_apple_id)) {
        return verdict_refuse(c->v, REASON_BUNDLE_MISMATCH, "%s: %sappAppleId: another app's", where, f->path);
    }
    return REASON_OK;
}

/* Tokens of purchases elsewhere name no environment; the token's id does. */
static enum channel_reason check_external(const struct call *c, struct fields *f)
{
    const char *id = field_text(f, "externalPurchaseId", FIELD_REQUIRED, EVENT_ID_MAX, NULL, "an id");
    if (id != NULL && (strncmp(id, "SANDBOX", 7) == 0) == c->own->production) {
        return verdict_refuse(c->v, REASON_ENV_MISMATCH, OUTER ": %sexternalPurchaseId: expected %s", f->path,
                              appstore_environment(c->own->production));
    }
    return f->problem->status == 0 ? REASON_OK : apple_malformed(c->v, OUTER, f->problem);
}

/* ---------------------------------------------------------------------------------------------------- nested */

/* Verified by itself, however genuine the notification is; *out_payload is NULL where there is none. */
static enum channel_reason verify_nested(const struct call *c, struct fields *data, const char *name,
                                         struct body_value **out_payload)
{
    char where[4 * WORD_MAX];
    const struct body_value *text = field_find(data, name, FIELD_OPTIONAL);
    if (text == NULL) {
        return REASON_OK;
    }
    (void)snprintf(where, sizeof where, "%s%s", data->path, name);
    if (text->type != BODY_STRING) {
        return verdict_refuse(c->v, REASON_BODY_MALFORMED, "%s: expected a string", where);
    }
    return appstore_verify_jws(c->own, where, text->text, text->n, c->now_s, c->arena, out_payload, c->v);
}

static enum channel_reason read_transaction(const struct call *c, struct fields *data,
                                            struct appstore_transaction **out)
{
    static const char WHERE[] = "data.signedTransactionInfo";
    struct problem problem = {0};
    struct fields f;
    struct body_value *payload = NULL;
    if (verify_nested(c, data, "signedTransactionInfo", &payload) != REASON_OK || payload == NULL) {
        return c->v->reason;
    }
    fields_begin(&f, payload, "", &problem);
    if (check_identity(c, &f, "environment", FIELD_REQUIRED, WHERE) != REASON_OK) {
        return c->v->reason;
    }
    *out = arena_alloc(c->arena, sizeof **out);
    appstore_read_transaction(&f, *out);
    return problem.status == 0 ? REASON_OK : apple_malformed(c->v, WHERE, &problem);
}

/* Another one that is verified, and not read any further. */
static enum channel_reason check_other(const struct call *c, struct fields *data, const char *name,
                                       const char *environment_name)
{
    struct problem problem = {0};
    struct fields f;
    struct body_value *payload = NULL;
    if (verify_nested(c, data, name, &payload) != REASON_OK || payload == NULL) {
        return c->v->reason;
    }
    fields_begin(&f, payload, "", &problem);
    return check_identity(c, &f, environment_name, FIELD_OPTIONAL, name);
}

/* ---------------------------------------------------------------------------------------------------- notification */

/* What the notification is about stands in one of four members. */
static enum channel_reason read_content(const struct call *c, struct fields *payload,
                                        struct appstore_transaction **out_transaction)
{
    static const char *const VARIANTS[] = {"data", "appData", "summary", "externalPurchaseToken"};
    struct body_value *content = NULL;
    struct fields f;
    char path[WORD_MAX];
    size_t i = 0;
    for (; i < ARRAY_SIZE(VARIANTS) && content == NULL; i++) {
        content = field_find(payload, VARIANTS[i], FIELD_OPTIONAL);
    }
    if (content == NULL) {
        return verdict_refuse(c->v, REASON_BODY_MALFORMED,
                              OUTER ": expected data, appData, summary or externalPurchaseToken");
    }
    (void)snprintf(path, sizeof path, "%s.", VARIANTS[i - 1]);
    fields_begin(&f, content, path, payload->problem);
    bool external = strcmp(VARIANTS[i - 1], "externalPurchaseToken") == 0;
    if (check_identity(c, &f, external ? NULL : "environment", FIELD_REQUIRED, OUTER) != REASON_OK ||
        check_app_id(c, &f, OUTER) != REASON_OK || (external && check_external(c, &f) != REASON_OK)) {
        return c->v->reason;
    }
    if (read_transaction(c, &f, out_transaction) != REASON_OK ||
        check_other(c, &f, "signedRenewalInfo", "environment") != REASON_OK) {
        return c->v->reason;
    }
    return check_other(c, &f, "signedAppTransactionInfo", "receiptType");
}

static enum channel_reason read_notification(const struct call *c, struct body_value *payload)
{
    struct problem problem = {0};
    struct fields f;
    struct appstore_transaction *transaction = NULL;
    struct channel_event *e = &c->v->event;
    int64_t signed_ms = 0;
    fields_begin(&f, payload, "", &problem);
    const char *type = field_text(&f, "notificationType", FIELD_REQUIRED, WORD_MAX, event_id_ok, "a word");
    const char *subtype = field_text(&f, "subtype", FIELD_OPTIONAL, WORD_MAX, event_id_ok, "a word");
    e->notification_id = field_text(&f, "notificationUUID", FIELD_REQUIRED, EVENT_ID_MAX, event_id_ok, EVENT_ID_WHAT);
    (void)field_int(&f, "signedDate", FIELD_OPTIONAL, 0, APPSTORE_MS_MAX, &signed_ms);
    if (problem.status != 0) {
        return apple_malformed(c->v, OUTER, &problem);
    }
    if (read_content(c, &f, &transaction) != REASON_OK) {
        return c->v->reason;
    }
    e->merchant = c->own->bundle_id;
    e->business_key = e->notification_id;
    appstore_fill_event(type, subtype, signed_ms, transaction, appstore_environment(c->own->production), c->arena, e);
    return REASON_OK;
}

enum channel_reason appstore_verify(const struct account *account, const struct capture *capture, int64_t now_s,
                                    struct arena *arena, struct verdict *v)
{
    const struct call c = {.own = account->own, .now_s = now_s, .arena = arena, .v = v};
    struct problem problem = {0};
    struct fields f;
    struct body_value *body = NULL;
    struct body_value *payload = NULL;
    if (body_parse(capture->body, capture->body_n, arena, &body, &problem) != RC_OK) {
        return apple_malformed(v, "", &problem);
    }
    fields_begin(&f, body, "", &problem);
    const char *text = field_text(&f, OUTER, FIELD_REQUIRED, CHANNEL_BODY_BYTES_MAX, NULL, "a signed notification");
    if (text == NULL) {
        return apple_malformed(v, "", &problem);
    }
    if (appstore_verify_jws(c.own, OUTER, text, strlen(text), now_s, arena, &payload, v) != REASON_OK) {
        return v->reason;
    }
    return read_notification(&c, payload);
}
