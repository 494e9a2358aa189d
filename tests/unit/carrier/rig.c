/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

struct carrier_rig rig;

void rig_setup(void)
{
    arena_init(&rig.arena, (size_t)64 << 10);
}

void rig_teardown(void)
{
    arena_done(&rig.arena);
}

bool rig_read(enum carrier_form form, const char *text, const char *kind)
{
    const struct carrier_content content = {.text = text, .n = strlen(text), .kind = kind, .now_s = NOW};
    return carrier_read(form, &content, &rig.arena, &rig.call, rig.detail);
}

const struct carrier_report *rig_one(enum carrier_form form, const char *text)
{
    cr_assert(rig_read(form, text, NULL), "%s: %s", text, rig.detail);
    cr_assert_str_eq(rig.detail, "");
    cr_assert_eq(rig.call.n_reports, 1, "%s: %zu", text, rig.call.n_reports);
    return &rig.call.reports[0];
}

void rig_refused(enum carrier_form form, const char *text, const char *detail)
{
    cr_expect_not(rig_read(form, text, NULL), "accepted: %.200s", text);
    cr_expect(strncmp(rig.detail, detail, strlen(detail)) == 0, "%.200s: \"%s\", not \"%s\"", text, rig.detail, detail);
}

void rig_node(const struct carrier_node *node, int64_t at_s, enum express_status status, const char *code,
              const char *context)
{
    cr_expect_eq(node->at_us, at_s * 1000000, "%lld", (long long)node->at_us);
    cr_expect_str_eq(express_status_name(node->status), express_status_name(status), "%s", node->context);
    cr_expect_str_eq(node->context, context);
    if (code == NULL || node->code == NULL) {
        cr_expect(code == node->code, "%s: %s, not %s", context, node->code, code);
    } else {
        cr_expect_str_eq(node->code, code);
    }
}
