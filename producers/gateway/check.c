/* SPDX-License-Identifier: Apache-2.0 */
/* Members of bodies that money moves by. */
#include "gateway/check.h"

#include <string.h>

#include "base/clock.h"
#include "base/option.h"
#include "ledger/ledger.h"

#define DAY_US (INT64_C(86400) * 1000000)
#define EFFECTIVE_MIN_US INT64_C(946684800000000) /* 2000-01-01 */
bool check_is_channel(const char *s)
{
    return s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789._-")] == '\0';
}

const char *member_id(struct fields *f, const char *name, enum field_need need)
{
    return field_text(f, name, need, LEDGER_ID_MAX, ledger_is_id, CHECK_ID_WHAT);
}

const char *member_account(struct fields *f, const char *name, enum field_need need)
{
    const char *id = member_id(f, name, need);
    if (id != NULL && ledger_account_reserved(id)) {
        field_refuse(f, name, "field_invalid", CHECK_OWN_ACCOUNT_WHAT);
    }
    return id;
}

const char *member_currency(struct fields *f, enum field_need need)
{
    return field_text(f, "currency", need, LEDGER_CURRENCY_MAX, ledger_is_currency, CHECK_CURRENCY_WHAT);
}

bool member_amount(struct fields *f, enum field_need need, int64_t *out)
{
    const struct body_value *v = field_find(f, "amount", need);
    if (v == NULL) {
        return false;
    }
    bool whole = v->type == BODY_NUMBER && strpbrk(v->text, ".eE") == NULL;
    if (whole && !option_parse_int(v->text, INT64_MIN, INT64_MAX, out)) {
        bool minus = v->text[0] == '-';
        field_refuse(f, "amount", minus ? "amount_not_positive" : "amount_too_large",
                     "expected minor units from 1 to 9223372036854775807");
        return false;
    }
    if (whole && *out <= 0) {
        field_refuse(f, "amount", "amount_not_positive", "expected minor units from 1 to 9223372036854775807");
        return false;
    }
    return field_int(f, "amount", need, 1, INT64_MAX, out);
}

bool member_effective(struct fields *f, int64_t *out_us)
{
    if (!field_time(f, "effective_at", FIELD_OPTIONAL, out_us)) {
        return false;
    }
    if (*out_us < EFFECTIVE_MIN_US || *out_us > clock_utc_us() + DAY_US) {
        field_refuse(f, "effective_at", "timestamp_out_of_range", "expected a time from 2000 to a day from now");
        return false;
    }
    return true;
}

void member_expiry(struct fields *f, struct expiry *out)
{
    *out = (struct expiry){0};
    out->has_at = field_time(f, "expires_at", FIELD_OPTIONAL, &out->at_us);
    out->has_timeout = field_int(f, "timeout_s", FIELD_OPTIONAL, 1, CHECK_TIMEOUT_S_MAX, &out->timeout_s);
    if (out->has_at && out->has_timeout) {
        field_refuse(f, "timeout_s", "field_invalid", "expected expires_at or timeout_s, not both");
    }
    if (out->has_at && out->at_us > clock_utc_us() + CHECK_TIMEOUT_S_MAX * 1000000) {
        field_refuse(f, "expires_at", "timestamp_out_of_range", "expected a time at most 400 days from now");
    }
}
