/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by template.c (reading) and template_render.c. */
#ifndef SLUICE_NOTIFY_TEMPLATE_INTERNAL_H
#define SLUICE_NOTIFY_TEMPLATE_INTERNAL_H

#include <jansson.h>

#include "notify/template.h"

#define TEMPLATE_WORD_MAX 64 /* bytes of a language's word, and of a carrier's code that has one */

enum variable { V_TRACKING_NO, V_CARRIER, V_STATUS, V_CONTEXT, VARIABLES };

struct text_pair {
    const char *title, *body; /* belong to the JSON */
};
struct locale {
    const char *name;
    const char *carrier;
    const json_t *carriers; /* by code in lower case; NULL = none */
    const char *status[EXPRESS_STATUSES];
    struct text_pair texts[NOTIFY_AUDS][EXPRESS_STATUSES];
};
struct templates {
    json_t *json;
    struct locale locales[TEMPLATE_LOCALES_MAX];
    size_t n;
};

/* The variable that begins at s, which is a brace; *out_len: its bytes. -1: unknown. */
int template_variable_at(const char *s, size_t *out_len);
/* A carrier's code as it stands in locale.carriers. */
void template_carrier_key(const char *code, char out[TEMPLATE_WORD_MAX + 1]);

#endif
