/* SPDX-License-Identifier: Apache-2.0 */
/* What the answers of both servers have in common. */
#ifndef SLUICE_HTTP_RESPONSE_H
#define SLUICE_HTTP_RESPONSE_H

#include <microhttpd.h>

#include "base/buf.h"

/* Takes what is in body. content_type NULL = none. NULL: libmicrohttpd is out of memory. */
struct MHD_Response *response_make(struct buf *body, const char *content_type);

#endif
