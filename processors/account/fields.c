/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the fields of a JSON object, one after the other. */
#include "account/fields.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/names.h"
#include "ledger/ledger.h"

bool field_is_id(const char *s, size_t n)
{
    return strlen(s) == n && ledger_is_id(s);
}

void fields_releasep(json_t **doc)
{
    json_decref(*doc);
    *doc = NULL;
}

enum rc fields_parse(const char *text, size_t n, const char *what, json_t **out_doc, const char **out_class,
                     struct err *err)
{
    json_error_t why;

    *out_class = CLASS_MALFORMED;
    if (n > FIELDS_JSON_MAX) {
        FAIL(err, RC_REJECT, "field %s has %zu bytes; expected at most %zu", what, n, FIELDS_JSON_MAX);
    }
    json_t *doc = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
    if (doc == NULL) {
        if (json_error_code(&why) == json_error_numeric_overflow) {
            *out_class = CLASS_OUT_OF_RANGE;
        }
        FAIL(err, RC_REJECT, "field %s is not a JSON object as expected, at byte %d: %s", what, why.position, why.text);
    }
    if (!json_is_object(doc)) {
        json_decref(doc);
        FAIL(err, RC_REJECT, "field %s: expected a JSON object", what);
    }
    *out_doc = doc;
    return RC_OK;
}

/* "2026-11-22T20:37:20.123456+01:00" and nothing that only looks like it. */
static bool read_time(const char *s, int64_t *out_us)
{
    static const char FORM[] = "dddd-dd-ddTdd:dd:dd";
    static const char *const DAYS = "\37\34\37\36\37\36\37\37\36\37\36\37";

    for (size_t i = 0; i < sizeof(FORM) - 1; i++) {
        bool good = FORM[i] == 'd' ? s[i] >= '0' && s[i] <= '9' : s[i] == FORM[i];
        if (!good) {
            return false; /* also at an early end */
        }
    }
    int year = (s[0] - '0') * 1000 + (s[1] - '0') * 100 + (s[2] - '0') * 10 + (s[3] - '0');
    int month = (s[5] - '0') * 10 + (s[6] - '0');
    int day = (s[8] - '0') * 10 + (s[9] - '0');
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (month < 1 || month > 12 || day < 1 || day > DAYS[month - 1] + (month == 2 && leap ? 1 : 0)) {
        return false;
    }
    if (s[19] == '.' && (s[20] < '0' || s[20] > '9')) {
        return false;
    }
    return s[17] < '6' && clock_rfc3339_parse(s, out_us) && *out_us >= 0 && *out_us <= FIELDS_TIME_MAX_US;
}

static enum rc wrong(struct err *err, const char *path, const char *name, const char *expected)
{
    FAIL(err, RC_REJECT, "field %s.%s: expected %s", path, name, expected);
}

static enum rc read_text(const json_t *v, const char *path, const struct field *f, struct arena *a, struct err *err)
{
    const char *s = json_string_value(v);
    size_t n = json_string_length(v);

    if (s == NULL) {
        return wrong(err, path, f->name, "a string");
    }
    if (f->type == FIELD_ID && !field_is_id(s, n)) {
        return wrong(err, path, f->name, "1 to 128 of A-Z a-z 0-9 . _ : ~ @ -");
    }
    if (f->type == FIELD_CURRENCY && !(strlen(s) == n && ledger_is_currency(s))) {
        return wrong(err, path, f->name, "1 to 12 letters and digits");
    }
    if (f->type == FIELD_TEXT && n > (size_t)f->max) {
        FAIL(err, RC_REJECT, "field %s.%s has %zu bytes; expected at most %" PRId64, path, f->name, n, f->max);
    }
    *f->text = arena_strndup(a, s, n);
    return RC_OK;
}

static enum rc read_int(const json_t *v, const char *path, const struct field *f, struct err *err)
{
    if (!json_is_integer(v)) {
        return wrong(err, path, f->name, "a whole number without point or exponent");
    }
    json_int_t number = json_integer_value(v);
    if (number < f->min || number > f->max) {
        FAIL(err, RC_REJECT, "field %s.%s is %" JSON_INTEGER_FORMAT "; expected %" PRId64 " to %" PRId64, path, f->name,
             number, f->min, f->max);
    }
    *f->number = number;
    return RC_OK;
}

static enum rc read_choice(const json_t *v, const char *path, const struct field *f, struct err *err)
{
    const char *s = json_string_value(v);
    int i = s != NULL ? names_find(f->choices, f->n_choices, s) : -1;

    if (i >= 0) {
        *f->choice = i;
        return RC_OK;
    }
    FAIL(err, RC_REJECT, "field %s.%s: expected one of %d words, %s to %s", path, f->name, f->n_choices, f->choices[0],
         f->choices[f->n_choices - 1]);
}

static enum rc read_one(const json_t *v, const char *path, const struct field *f, struct arena *a, struct err *err)
{
    switch (f->type) {
    case FIELD_ID:
    case FIELD_CURRENCY:
    case FIELD_TEXT:
        TRY(read_text(v, path, f, a, err));
        break;
    case FIELD_NULL_INT:
        if (json_is_null(v)) {
            *f->null_given = true;
            return RC_OK;
        }
        TRY(read_int(v, path, f, err));
        break;
    case FIELD_INT:
        TRY(read_int(v, path, f, err));
        break;
    case FIELD_BOOL:
        if (!json_is_boolean(v)) {
            return wrong(err, path, f->name, "true or false");
        }
        *f->flag = json_is_true(v);
        break;
    case FIELD_TIME:
        if (!json_is_string(v) || !read_time(json_string_value(v), f->number)) {
            return wrong(err, path, f->name, "a time as 2026-11-22T20:37:20Z, between 1970 and 9999");
        }
        break;
    case FIELD_CHOICE:
        TRY(read_choice(v, path, f, err));
        break;
    case FIELD_LIST:
        if (!json_is_array(v)) {
            return wrong(err, path, f->name, "a list");
        }
        *f->list = v;
        break;
    }
    if (f->given != NULL) {
        *f->given = true;
    }
    return RC_OK;
}

enum rc fields_read(const json_t *object, const char *path, const struct field *fields, size_t n, struct arena *a,
                    const char **out_class, struct err *err)
{
    size_t found = 0;

    *out_class = CLASS_MALFORMED;
    if (!json_is_object(object)) {
        FAIL(err, RC_REJECT, "field %s: expected a JSON object", path);
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_object_get(object, fields[i].name);
        if (v == NULL) {
            if (fields[i].required) {
                FAIL(err, RC_REJECT, "field %s.%s is missing", path, fields[i].name);
            }
            continue;
        }
        found++;
        TRY(read_one(v, path, &fields[i], a, err));
    }
    if (found == json_object_size(object)) {
        return RC_OK;
    }
    for (void *it = json_object_iter((json_t *)(uintptr_t)object); it != NULL;
         it = json_object_iter_next((json_t *)(uintptr_t)object, it)) {
        size_t i = 0;
        while (i < n && strcmp(fields[i].name, json_object_iter_key(it)) != 0) {
            i++;
        }
        if (i == n) {
            FAIL(err, RC_REJECT, "field %s.%.64s is unknown", path, json_object_iter_key(it));
        }
    }
    FAIL(err, RC_REJECT, "field %s holds a key twice", path); /* JSON_REJECT_DUPLICATES leaves none */
}
