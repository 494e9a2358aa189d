/* SPDX-License-Identifier: Apache-2.0 */
/* Reads an App Store account, and says what is wrong or about to be. */
#include "channel/appstore_account.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel/apple.h"
#include "channel/ca.h"
#include "channel/channels.h"
#include "channel/event_text.h"

const char *appstore_environment(bool production)
{
    return production ? "Production" : "Sandbox";
}

static bool environment_ok(const char *text)
{
    return strcmp(text, "Production") == 0 || strcmp(text, "Sandbox") == 0;
}

static bool effective_ok(const char *text)
{
    return strcmp(text, "signed") == 0 || strcmp(text, "now") == 0;
}

static bool bundle_ok(const char *text)
{
    return text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-")] == '\0';
}

void appstore_free(void *opaque)
{
    struct appstore_account *own = opaque;
    if (own != NULL) {
        (void)chain_trust_free(own->trust);
        free(own);
    }
}

static enum rc read_all(struct account_reader *r, struct appstore_account *own, struct err *err)
{
    struct fields *f = &r->fields;
    struct chain_rules rules = {
        .leaf_oid = OID_APPSTORE_LEAF, .ca_oid = OID_APPSTORE_CA, .strict = true, .cache_max = CHAIN_CACHE_MAX};
    const char *bundle =
        field_text(f, "bundle_id", FIELD_REQUIRED, APPSTORE_BUNDLE_MAX, bundle_ok, "the app's bundle id");
    bool has_id = field_int(f, "app_apple_id", FIELD_OPTIONAL, 1, INT64_MAX, &own->app_apple_id);
    const char *environment = field_text(f, "environment", FIELD_REQUIRED, 16, environment_ok, "Production or Sandbox");
    const char *root = account_path(r, "root_file", FIELD_REQUIRED);
    (void)field_bool(f, "strict_extensions", FIELD_OPTIONAL, &rules.strict);
    const char *effective = field_text(f, "effective_date", FIELD_OPTIONAL, 16, effective_ok, "signed or now");
    TRY(account_members_end(r, err));
    own->production = strcmp(environment, appstore_environment(true)) == 0;
    own->effective_now = effective != NULL && strcmp(effective, "now") == 0;
    (void)snprintf(own->bundle_id, sizeof own->bundle_id, "%s", bundle);
    if (own->production && !has_id) {
        return account_fail(r, "app_apple_id", err, "expected the app's number in the App Store, for Production");
    }
    return apple_read_root(r, root, &rules, &own->trust, err);
}

enum rc appstore_read(struct account_reader *r, void **out_own, struct err *err)
{
    struct appstore_account *own = xcalloc(1, sizeof *own);
    enum rc rc = read_all(r, own, err);
    if (rc != RC_OK) {
        appstore_free(own);
        return rc;
    }
    *out_own = own;
    return RC_OK;
}

void appstore_check(const struct account *account, int64_t now_s, account_finding_fn say, void *opaque)
{
    const struct appstore_account *own = account->own;
    apple_check_root(account, own->trust, now_s, say, opaque);
    if (!own->production) {
        say(opaque, account, false, "environment: Sandbox, where nobody pays; payments of it succeed all the same");
    }
}

int64_t appstore_expires_s(const struct account *account)
{
    const struct appstore_account *own = account->own;
    return chain_trust_until_s(own->trust);
}
