/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts of notifications: per language, audience and status a title and a body, with variables in braces.
 *
 *     {tracking_no} {carrier} {status} {context}
 *
 * {carrier}: the language's name of that carrier, else as the carrier calls itself, else the language's word for one.
 * {status}: the language's word. {context}: the carrier's words, masked; where there are none, {status}.
 * All of them have text whatever the event lacks, and templates are looked at when they are loaded: no title and no
 * body comes out empty. Schema: schemas/templates.json.
 *
 * Thread: any; nothing is written after loading.
 */
#ifndef SLUICE_NOTIFY_TEMPLATE_H
#define SLUICE_NOTIFY_TEMPLATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "schemas/express_status.h"

#define TEMPLATE_LOCALES_MAX 64
#define TEMPLATE_LOCALE_BYTES 32 /* of a language's name, with its NUL */
#define TEMPLATE_TEXT_MAX 1024   /* bytes of a title or body as it stands in the file */
#define TEMPLATE_FILE_MAX ((size_t)1 << 20)

enum notify_aud { NOTIFY_USER, NOTIFY_MERCHANT, NOTIFY_AUDS };
const char *notify_aud_name(enum notify_aud aud); /* "user"; static */

struct templates;

/* origin: for messages. FATAL with ERR_CONFIG: names the place and what was expected. */
enum rc templates_load(const char *origin, const char *text, size_t n, struct templates **out,
                       struct err *err) MUST_USE;
/* The file at path, or what is built in for "". */
enum rc templates_open(const char *path, struct templates **out, struct err *err) MUST_USE;
struct templates *templates_free(struct templates *t); /* accepts NULL, returns NULL */

/* "en_US" finds en-US, then en, then the first en-...; in any case of letters. -1: no such language, or NULL. */
int templates_find(const struct templates *t, const char *locale);
const char *templates_locale(const struct templates *t, int locale);

struct template_values {
    const char *tracking_no;
    const char *carrier; /* code; NULL = unknown */
    const char *context; /* masked; NULL = none */
};

/* Both in the arena, at most so many characters, cut with an ellipsis, without blanks at the ends. */
struct rendered {
    const char *title, *body;
};
void templates_render(const struct templates *t, int locale, enum notify_aud aud, enum express_status status,
                      const struct template_values *v, size_t title_max, size_t body_max, struct arena *a,
                      struct rendered *out);
/* The language's word for a status. */
const char *templates_status(const struct templates *t, int locale, enum express_status status);

/* A copy with at most max characters, the last one then an ellipsis; control characters are spaces, blanks at both ends
 * are left out. */
const char *template_cut(struct arena *a, const char *text, size_t n, size_t max);

#endif
