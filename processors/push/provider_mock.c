/* SPDX-License-Identifier: Apache-2.0 */
/* Accepts everything and calls nobody: for trying, and for the app "selftest". The role sends nothing for a kind
 * without a request. */
#include "push/kinds.h"
#include "push/member.h"

static enum rc mock_open(const struct json_t *config, const char *directory, void **out_self, struct err *err)
{
    struct members m;

    members_begin(&m, config, directory, err);
    *out_self = NULL;
    return members_end(&m);
}

static void mock_close(void *self)
{
    (void)self;
}

const struct provider_kind provider_mock = {.name = "mock", .batch_max = 1, .open = mock_open, .close = mock_close};
