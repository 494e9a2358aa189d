/* SPDX-License-Identifier: Apache-2.0 */
/* What Getui's REST v2 answers: a code for the whole request, and a status for each cid. */
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/option.h"
#include "push/provider_getui.h"
#include "push/reply.h"

#define INVALID "20001"
#define MINUTE_MS 60000 /* limits of calls are by the minute */
#define TOKEN_CHARACTERS_MAX 512

const struct push_code GETUI_CODES[] = {
    {"1", PUSH_PAYLOAD, 0, false},       /* it did not read our JSON */
    {"2", PUSH_PROVIDER_DOWN, 0, false}, /* it starts */
    {"301", PUSH_AUTH, 0, false},        /* this app is served under another host name */
    {"404", PUSH_AUTH, 0, false},        /* of api_base */
    {"405", PUSH_AUTH, 0, false},        /* the same */
    {"5000", PUSH_PROVIDER_DOWN, 0, false},
    {"10001", PUSH_AUTH, 0, true},               /* the token is wrong, or has expired */
    {"10002", PUSH_AUTH, 0, false},              /* app or address are blocked */
    {"10003", PUSH_THROTTLED, MINUTE_MS, false}, /* tokens asked for too often */
    {"10004", PUSH_AUTH, 0, false},              /* no right */
    {"10005", PUSH_THROTTLED, MINUTE_MS, false}, /* called too often */
    {"30000", PUSH_AUTH, 0, false},              /* not in what was bought */
    {"30001", PUSH_AUTH, 0, false},              /* the same */
    {NULL, PUSH_PROVIDER_DOWN, 0, false},
};

const struct push_code GETUI_STATUSES[] = {
    {"successed_online", PUSH_SENT_ONLINE, 0, false},
    {"successed_offline", PUSH_SENT_OFFLINE, 0, false},
    {"successed_async", PUSH_SENT, 0, false},
    {"successed_ignore", PUSH_IGNORED, 0, false}, /* away for more than 90 days: nothing is sent */
    {"no_user", PUSH_INVALID_TARGET, 0, false},
    {"TokenMD5NoUsers", PUSH_INVALID_TARGET, 0, false},
    {"TokenMD5Error", PUSH_INVALID_TARGET, 0, false},
    {"AppidError", PUSH_SUSPECT, 0, false}, /* the cid is another app's, or our app_id is wrong */
    {"flow_exceeded", PUSH_THROTTLED, MINUTE_MS, false},
    {"busy", PUSH_THROTTLED, 0, false},
    {NULL, PUSH_PROVIDER_DOWN, 0, false},
};

/* 20001 says "this parameter is wrong" of cids and of everything else: only its text tells. Lower case. */
static const char *const TARGET_TEXTS[] = {
    "target user is invalid", "cid is invalid", "appid not match cid",
    "cid not match",          "no target user", "target is invalid",
};

static bool is_about_target(const char *message)
{
    char lower[PUSH_MESSAGE_MAX];
    size_t n = 0;
    for (; message != NULL && message[n] != '\0' && n < sizeof lower - 1; n++) {
        lower[n] = (char)tolower((unsigned char)message[n]);
    }
    lower[n] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(TARGET_TEXTS); i++) {
        if (strstr(lower, TARGET_TEXTS[i]) != NULL) {
            return true;
        }
    }
    return false;
}

/* ----------------------------------------------------------------------------------------------------- refused */

/* A whole request was refused. */
static struct push_result refused(const struct http_result *r, const char *code, const char *message, size_t n)
{
    if (strcmp(code, INVALID) != 0) {
        return push_code_verdict(GETUI_CODES, r, code, message);
    }
    enum push_verdict verdict = is_about_target(message) ? PUSH_INVALID_TARGET : PUSH_PAYLOAD;
    struct push_result result = push_result_of(n == 1 ? verdict : PUSH_PROVIDER_DOWN, code, message);
    result.alone = n > 1; /* the others must not pay for it */
    return result;
}

/* "20001"; false: there is no code in it. */
static bool code_of(const json_t *answer, char *out, size_t size)
{
    const json_t *code = json_object_get(answer, "code");
    if (!json_is_integer(code)) {
        return false;
    }
    (void)snprintf(out, size, "%" JSON_INTEGER_FORMAT, json_integer_value(code));
    return true;
}

/* ---------------------------------------------------------------------------------------------------- accepted */

/* Gives one status to the first message of this cid that has none yet. */
static void assign(const struct push_message *const *m, size_t n, const struct http_result *r, const char *cid,
                   const char *status, bool *has, struct push_result *out)
{
    for (size_t i = 0; i < n; i++) {
        if (!has[i] && strcmp(m[i]->cid, cid) == 0) {
            status = status == NULL || status[0] == '\0' ? PUSH_CODE_MALFORMED : status;
            const struct push_code *row = push_code_find(GETUI_STATUSES, status);
            out[i] = row != NULL ? push_code_result(row, r, NULL)
                                 : push_result_of(PUSH_PROVIDER_DOWN, status, "a status that is not documented");
            has[i] = true;
            return;
        }
    }
}

/* data: {"TASK": {"CID": "successed_online"}, ...} */
static void accepted(json_t *data, const struct push_message *const *m, size_t n, const struct http_result *r,
                     struct push_result *out)
{
    bool has[PUSH_BATCH_MAX] = {false};
    const char *task = NULL;
    const char *cid = NULL;
    json_t *cids = NULL;
    json_t *status = NULL;
    const struct push_result none =
        push_result_of(PUSH_PROVIDER_DOWN, PUSH_CODE_NO_RESULT, "the answer does not have this cid");
    push_reply_all(&none, n, out);
    json_object_foreach(data, task, cids)
    {
        json_object_foreach(cids, cid, status)
        {
            assign(m, n, r, cid, json_string_value(status), has, out);
        }
    }
}

static void reply_of(const json_t *answer, const struct push_message *const *m, size_t n, const struct http_result *r,
                     struct push_result *out)
{
    char code[24];
    const char *message = json_string_value(json_object_get(answer, "msg"));
    json_t *data = json_object_get(answer, "data");
    bool has_code = code_of(answer, code, sizeof code);
    bool good = has_code && strcmp(code, "0") == 0 && r->status >= 200 && r->status < 300;
    struct push_result all;
    if (good && json_is_object(data)) {
        accepted(data, m, n, r, out);
        return;
    }
    if (good && (data == NULL || json_is_null(data))) {
        all = push_result_of(PUSH_SENT, code, NULL); /* taken, and no details */
    } else if (has_code && !good && strcmp(code, "0") != 0) {
        all = refused(r, code, message, n);
    } else if (r->status >= 200 && r->status < 300) {
        all = push_code_unreadable(r, PUSH_CODE_MALFORMED);
    } else {
        all = push_code_by_status(r, NULL, message);
    }
    push_reply_all(&all, n, out);
}

void getui_reply(const void *self, const struct push_message *const *m, size_t n, const struct http_result *r,
                 int64_t now_us, struct push_result *out)
{
    struct push_result unreadable;
    json_t *answer = r->status == 0 ? NULL : push_reply_json(r, &unreadable);
    (void)self;
    (void)now_us;
    if (answer != NULL) {
        reply_of(answer, m, n, r, out);
    } else {
        unreadable = r->status >= 200 && r->status < 300 ? push_code_unreadable(r, unreadable.code)
                                                         : push_code_by_status(r, NULL, NULL);
        push_reply_all(&unreadable, n, out);
    }
    json_decref(answer);
}

/* ------------------------------------------------------------------------------------------------------- token */

static bool token_ok(const char *text)
{
    size_t n = text == NULL ? 0 : strlen(text);
    bool good = n > 0 && n <= TOKEN_CHARACTERS_MAX;
    for (size_t i = 0; i < n && good; i++) {
        good = isgraph((unsigned char)text[i]);
    }
    return good;
}

static int64_t expires_us(const json_t *data)
{
    int64_t ms = 0;
    const json_t *v = json_object_get(data, "expire_time");
    if (json_is_integer(v)) {
        ms = json_integer_value(v);
    } else if (!json_is_string(v) || !option_parse_int(json_string_value(v), 0, INT64_MAX, &ms)) {
        return 0;
    }
    return ms < 0 || ms > INT64_MAX / 1000 ? 0 : ms * 1000;
}

static enum rc token_refused(const struct push_result *why, struct err *err)
{
    bool later = why->verdict == PUSH_PROVIDER_DOWN || why->verdict == PUSH_THROTTLED;
    (void)err_set(err, later ? RC_RETRY : RC_REJECT, __FILE__, __LINE__, "%s%s%s", why->code,
                  why->message[0] == '\0' ? "" : ": ", why->message);
    return err_code(err, why->code);
}

enum rc getui_token_reply(const void *self, const struct http_result *r, int64_t now_us, struct push_token *out,
                          struct err *err)
{
    char code[24] = "";
    struct push_result why;
    json_t *answer = r->status == 0 ? NULL : push_reply_json(r, &why);
    const json_t *data = json_object_get(answer, "data");
    const char *text = json_string_value(json_object_get(data, "token"));
    int64_t end_us = expires_us(data);
    enum rc rc = RC_OK;
    (void)self;
    if (answer == NULL || !code_of(answer, code, sizeof code)) {
        why = push_code_by_status(r, NULL, NULL);
        why.verdict = why.verdict == PUSH_SENT ? PUSH_PROVIDER_DOWN : why.verdict;
        rc = token_refused(&why, err);
    } else if (strcmp(code, "0") != 0) {
        why = refused(r, code, json_string_value(json_object_get(answer, "msg")), 1);
        rc = token_refused(&why, err);
    } else if (!token_ok(text) || end_us <= now_us) {
        why = push_result_of(PUSH_PROVIDER_DOWN, PUSH_CODE_MALFORMED, "expected data.token and data.expire_time");
        rc = token_refused(&why, err);
    } else {
        *out = (struct push_token){.text = xstrdup(text), .obtained_us = now_us, .expires_us = end_us};
    }
    json_decref(answer);
    return rc;
}
