/* SPDX-License-Identifier: Apache-2.0 */
/* The forms. */
#include "carrier/forms.h"

#include <string.h>

static const struct {
    const char *name;
    struct carrier_facts facts;
    bool (*read)(struct reading *r, const struct carrier_content *content);
    const char *(*answer)(bool stored, const struct carrier_echo *echo, struct arena *arena);
} FORMS[CARRIER_FORMS] = {
    [CARRIER_JSON] = {.name = "json", .read = json_read, .answer = json_answer},
    [CARRIER_KUAIDI100] = {.name = "kuaidi100",
                           .facts = {.content = "param", .signature = "sign"},
                           .read = kuaidi100_read,
                           .answer = kuaidi100_answer},
    [CARRIER_SF] = {.name = "sf",
                    .facts = {.content = "content", .bare_too = true, .xml_too = true},
                    .read = sf_read,
                    .answer = sf_answer},
    [CARRIER_KDNIAO] =
        {.name = "kdniao",
         .facts = {.content = "RequestData", .signature = "DataSign", .kind = "RequestType", .party = "EBusinessID"},
         .read = kdniao_read,
         .answer = kdniao_answer},
    [CARRIER_CAINIAO] =
        {.name = "cainiao",
         .facts = {.content = "logistics_interface", .signature = "data_digest", .kind = "msg_type", .xml_too = true},
         .read = cainiao_read,
         .answer = cainiao_answer},
};

const char *carrier_form_name(enum carrier_form form)
{
    return FORMS[form].name;
}

int carrier_form_find(const char *name)
{
    for (int i = 0; i < CARRIER_FORMS; i++) {
        if (strcmp(FORMS[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

const struct carrier_facts *carrier_facts(enum carrier_form form)
{
    return &FORMS[form].facts;
}

bool carrier_read(enum carrier_form form, const struct carrier_content *content, struct arena *arena,
                  struct carrier_call *out, char detail[CARRIER_DETAIL_MAX])
{
    struct reading r = {.arena = arena, .now_s = content->now_s, .call = out, .detail = detail};
    *out = (struct carrier_call){0};
    detail[0] = '\0';
    return FORMS[form].read(&r, content);
}

bool carrier_party_ok(const char *party)
{
    size_t n = strspn(party, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
    return n >= 1 && n <= 32 && party[n] == '\0';
}

const char *carrier_answer(enum carrier_form form, bool stored, const struct carrier_echo *echo, struct arena *arena,
                           const char **out_content_type)
{
    *out_content_type = echo->xml && FORMS[form].facts.xml_too ? "text/xml; charset=utf-8" : "application/json";
    return FORMS[form].answer(stored, echo, arena);
}
