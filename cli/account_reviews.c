/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice account reviews`: payment events that need a person, and that somebody has looked at them. */
#include <string.h>

#include "account.h"
#include "commands.h"
#include "payment/state.h"
#include "settle.h"

#define WHICH "FROM payment_reviews WHERE ($1::bool OR resolved_at IS NULL) AND ($2::text IS NULL OR code = $2)"
#define NEWEST " ORDER BY created_at DESC, id LIMIT $3::bigint"
#define SINCE SHOWN_TIME("created_at")
#define RESOLVED_AT SHOWN_TIME("resolved_at")

static const char LIST[] = "SELECT id, payment_id, code, " SINCE ", coalesce(resolved_by, 'open'), "
                           "concat_ws(' | ', detail, note) " WHICH NEWEST;
static const char *const HEADS[] = {"ID", "PAYMENT", "CODE", "SINCE", "BY", "WHAT", NULL};
static const char LIST_JSON[] =
    "SELECT jsonb_build_object('reviews', coalesce(jsonb_agg(to_jsonb(r) ORDER BY r.created_at DESC, r.id), '[]'))"
    " FROM (SELECT * " WHICH NEWEST ") r";

static const char FIND[] =
    "SELECT code, payment_id, resolved_by, " RESOLVED_AT ", true FROM payment_reviews WHERE id = $1::uuid";
static const char RESOLVE[] = "UPDATE payment_reviews SET resolved_at = now(), resolved_by = $2, note = $3"
                              " WHERE id = $1::uuid AND resolved_at IS NULL";

/* The event as it came, under an id of its own: the one that was reviewed stays so. */
static const char RETRY[] =
    "WITH r AS (UPDATE payment_reviews SET resolved_at = now(), resolved_by = $2, note = $3"
    "  WHERE id = $1::uuid AND resolved_at IS NULL RETURNING payment_id, event_type, event -> 'payload' AS payload)"
    " INSERT INTO payment_outbox (partition_key, event_type, payload) SELECT payment_id, event_type, payload FROM r";

static const struct settle_list REVIEWS = {.command = "account reviews",
                                           .app = "sluice account reviews",
                                           .thing = "review",
                                           .settled = "resolved",
                                           .note = "what was done about it",
                                           .open = account_db,
                                           .list = LIST,
                                           .list_json = LIST_JSON,
                                           .heads = HEADS,
                                           .find = FIND};
static const struct settle_deed TO_RESOLVE = {"resolve", RESOLVE, "resolved", false};
static const struct settle_deed TO_RETRY = {"retry", RETRY, "asked again", true};

static bool is_code(const char *code)
{
    for (int i = 1; i < PAYMENT_REVIEWS; i++) {
        if (strcmp(code, PAYMENT_REVIEW_NAMES[i]) == 0) {
            return true;
        }
    }
    return false;
}

int cmd_account_reviews_ls(const struct cli *cli)
{
    const char *code = cli_flag(cli, "code");

    if (code != NULL && !is_code(code)) {
        return cli_usage(cli, "--code: \"%.40s\" is no code of a review, such as amount_mismatch", code);
    }
    return settle_ls(cli, &REVIEWS, code);
}

int cmd_account_reviews_resolve(const struct cli *cli)
{
    return settle_do(cli, &REVIEWS, &TO_RESOLVE);
}

int cmd_account_reviews_retry(const struct cli *cli)
{
    return settle_do(cli, &REVIEWS, &TO_RETRY);
}
