/* SPDX-License-Identifier: Apache-2.0 */
/* Trace contexts of records. */
#include <stdbool.h>

#include "runtime/delivery.h"

/* version-traceid-parentid-flags in lower-case hexadecimal (https://www.w3.org/TR/trace-context/#traceparent-header).
 */
static bool is_traceparent(const char *s)
{
    static const char form[] = "xx-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx";

    for (size_t i = 0; i < sizeof(form) - 1; i++) {
        bool hex = (s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f');
        if (form[i] == '-' ? s[i] != '-' : !hex) {
            return false; /* also where s ends */
        }
    }
    return s[sizeof(form) - 1] == '\0';
}

const char *delivery_trace(const struct delivery_event *event, const char *field)
{
    const char *trace = field != NULL ? field : delivery_header(event, "traceparent", NULL);

    return trace != NULL && is_traceparent(trace) ? trace : NULL;
}
