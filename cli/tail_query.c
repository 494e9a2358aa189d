/* SPDX-License-Identifier: Apache-2.0 */
/* Flags of `sluice tail` -> query. */
#include "tail_query.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define TIMEOUT_MS_DEFAULT 10000
#define TIMEOUT_MS_MAX 600000

static enum rc parse_from(const char *text, struct tail_query *q, struct err *err)
{
    if (text == NULL || strcmp(text, "beginning") == 0 || strcmp(text, "start") == 0) {
        q->from_kind = FROM_BEGINNING;
    } else if (strcmp(text, "end") == 0) {
        q->from_kind = FROM_END;
    } else if (text[0] == '-' && option_parse_int(text + 1, 1, INT64_MAX, &q->from)) {
        q->from_kind = FROM_LAST;
    } else if (text[0] == '@' && clock_rfc3339_parse(text + 1, &q->from)) {
        q->from_kind = FROM_TIME;
        q->from /= 1000;
    } else if (text[0] != '-' && option_parse_int(text, 0, INT64_MAX, &q->from)) {
        q->from_kind = FROM_OFFSET;
    } else {
        FAIL(err, RC_REJECT, "--from: \"%.40s\" is not beginning, end, an offset, -N or @TIME (2026-11-22T20:37:20Z)",
             text);
    }
    return RC_OK;
}

static enum rc parse_until(const char *text, bool follow, struct tail_query *q, struct err *err)
{
    if (text != NULL && follow) {
        FAIL(err, RC_REJECT, "--follow and --until exclude each other");
    }
    if (follow || (text != NULL && strcmp(text, "never") == 0)) {
        q->until_kind = UNTIL_NEVER;
    } else if (text == NULL || strcmp(text, "end") == 0) {
        q->until_kind = UNTIL_END;
    } else if (option_parse_int(text, 0, INT64_MAX, &q->until)) {
        q->until_kind = UNTIL_OFFSET;
    } else {
        FAIL(err, RC_REJECT, "--until: \"%.40s\" is not end, never or an offset", text);
    }
    return RC_OK;
}

static enum rc parse_where(const char *text, struct tail_query *q, struct err *err)
{
    if (text == NULL) {
        return RC_OK;
    }
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text) {
        FAIL(err, RC_REJECT, "--where: \"%.40s\" is not FIELD=VALUE", text);
    }
    q->where_field = xstrndup(text, (size_t)(equals - text));
    q->where_text = equals + 1;
    return RC_OK;
}

enum rc tail_query_parse(const struct cli *cli, struct tail_query *q, struct err *err)
{
    int64_t partition = -1;
    int64_t timeout_ms = TIMEOUT_MS_DEFAULT;
    *q = (struct tail_query){.count_max = INT64_MAX, .key = cli_flag(cli, "key")};
    q->uncommitted = cli_flag(cli, "uncommitted") != NULL;
    TRY(parse_from(cli_flag(cli, "from"), q, err));
    TRY(parse_until(cli_flag(cli, "until"), cli_flag(cli, "follow") != NULL, q, err));
    TRY(cli_flag_int(cli, "partition", 0, INT32_MAX, &partition, err));
    TRY(cli_flag_int(cli, "count", 1, INT64_MAX, &q->count_max, err));
    TRY(cli_flag_int(cli, "timeout-ms", 1, TIMEOUT_MS_MAX, &timeout_ms, err));
    q->partition = (int32_t)partition;
    q->timeout_ms = (int)timeout_ms;
    return parse_where(cli_flag(cli, "where"), q, err);
}

void tail_query_done(struct tail_query *q)
{
    free(q->where_field);
    q->where_field = NULL;
}
