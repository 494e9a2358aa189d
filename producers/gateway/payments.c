/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/payments: an order to be paid. */
#include <string.h>

#include "base/currency.h"
#include "gateway/ask.h"
#include "gateway/check.h"
#include "ledger/ledger.h"

#define CALLBACK_TARGET_MAX 2048
#define PLATFORM_MAX 64
#define CHANNEL_ACCOUNT_MAX 64 /* ACCOUNT_NAME_MAX of the accounts file */

/* A platform's name, or an account's in the accounts file. */
static bool name_ok(const char *s)
{
    return strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == strlen(s);
}

static bool target_ok(const char *s)
{
    if (strncmp(s, "https://", 8) != 0 && strncmp(s, "http://", 7) != 0) {
        return false;
    }
    for (; *s != '\0'; s++) {
        if (*s <= 0x20 || *s > 0x7e) {
            return false;
        }
    }
    return true;
}

static void read_callback(struct fields *f, struct payload *p)
{
    const char *platform = field_text(f, "callback_platform", FIELD_OPTIONAL, PLATFORM_MAX, name_ok,
                                      "a platform of 1 to 64 of A-Z a-z 0-9 . _ -");
    const char *target =
        field_text(f, "callback_target", FIELD_OPTIONAL, CALLBACK_TARGET_MAX, target_ok, "an http or https URL");
    if (f->problem->status == 0 && (platform == NULL) != (target == NULL)) {
        field_refuse(f, platform == NULL ? "callback_platform" : "callback_target", "field_missing",
                     "expected callback_platform and callback_target, or neither");
    }
    payload_text(p, "callback_platform", platform);
    payload_text(p, "callback_target", target);
}

static void read_order(struct fields *f, struct payload *p)
{
    struct expiry expiry;
    int64_t amount = 0;
    int64_t exponent = 0;
    payload_text(p, "account_id", member_id(f, "account_id", FIELD_REQUIRED));
    payload_text(p, "channel",
                 field_text(f, "channel", FIELD_REQUIRED, CHECK_CHANNEL_MAX, check_is_channel,
                            "a channel of 1 to 32 of a-z 0-9 . _ -"));
    payload_text(p, "channel_account",
                 field_text(f, "channel_account", FIELD_OPTIONAL, CHANNEL_ACCOUNT_MAX, name_ok,
                            "an account's name of 1 to 64 of A-Z a-z 0-9 . _ -"));
    (void)member_amount(f, FIELD_REQUIRED, &amount);
    payload_int(p, "amount", amount);
    const char *currency = member_currency(f, FIELD_REQUIRED);
    payload_text(p, "currency", currency);
    if (!field_int(f, "exponent", FIELD_OPTIONAL, 0, 4, &exponent) && currency != NULL) {
        exponent = currency_digits(currency);
    }
    if (currency != NULL && !currency_digits_fit(currency, (int)exponent)) {
        field_refuse(f, "exponent", "field_invalid", "expected as many digits as ISO 4217 gives the currency, or none");
    }
    payload_int(p, "exponent", exponent);
    member_expiry(f, &expiry);
    payload_expiry(p, expiry.has_at, expiry.at_us, expiry.has_timeout, expiry.timeout_s);
    read_callback(f, p);
}

enum call_next ask_payment(struct http_call *call, void *opaque)
{
    struct problem problem = {0};
    struct fields f;
    struct payload p;
    if (!ask_body(call, &f, &problem)) {
        return ask_refuse(call, &problem);
    }
    struct job *job = ask_job(call, JOB_PAYMENT);
    payload_begin(&p);
    job->subject = field_text(&f, "payment_id", FIELD_REQUIRED, CHECK_PAYMENT_ID_MAX, ledger_is_id,
                              "an id of 1 to 64 of A-Z a-z 0-9 . _ : ~ @ -");
    read_order(&f, &p);
    fields_end(&f);
    job->payload = payload_end(&p, call);
    payload_done(&p);
    job->key = job->subject;
    job->wait_s = -1; /* there is nothing to wait for */
    return problem.status != 0 ? ask_refuse(call, &problem) : ask_write(opaque, job);
}
