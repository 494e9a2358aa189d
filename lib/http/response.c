/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that nobody keeps and whose type nobody guesses. */
#include "http/response.h"

struct MHD_Response *response_make(struct buf *body, const char *content_type)
{
    size_t n = body->len;
    struct MHD_Response *response = MHD_create_response_from_buffer(n, buf_take(body), MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        return NULL;
    }
    if (content_type != NULL) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    return response;
}
