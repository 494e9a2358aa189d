/* SPDX-License-Identifier: Apache-2.0 */
/* POST /control: tells the receiver how to go on. */
#include <jansson.h>

#include "base/mem.h"
#include "receiver/receiver_internal.h"

#define EXPECTED                                                                                                    \
    "{\"error\": \"expected {\\\"hang\\\": true|false}, {\\\"clear\\\": true} or {\\\"mended\\\": [\\\"/path\\\", " \
    "...]}, at most 16 paths"                                                                                       \
    " of at most 255 bytes\"}\n"

struct orders {
    const json_t *hang, *clear, *mended; /* NULL = not said */
    struct mended paths;
};

static bool read_paths(struct orders *o)
{
    const json_t *path = NULL;
    size_t i = 0;

    json_array_foreach(o->mended, i, path)
    {
        const char *text = json_string_value(path); /* NULL: no string */
        if (text == NULL || !mended_add(&o->paths, text)) {
            return false;
        }
    }
    return json_is_array(o->mended);
}

static bool read_orders(const json_t *json, struct orders *o)
{
    *o = (struct orders){.hang = json_object_get(json, "hang"),
                         .clear = json_object_get(json, "clear"),
                         .mended = json_object_get(json, "mended")};
    return (o->hang != NULL || o->clear != NULL || o->mended != NULL) &&
           (o->hang == NULL || json_is_boolean(o->hang)) && (o->clear == NULL || json_is_true(o->clear)) &&
           (o->mended == NULL || read_paths(o));
}

static void obey(struct receiver *r, const struct orders *o)
{
    if (o->hang != NULL) {
        receiver_hang(r, json_is_true(o->hang));
    }
    if (o->mended != NULL) {
        r->mended = o->paths;
    }
    if (o->clear != NULL) {
        (void)pthread_mutex_lock(&r->lock);
        tally_clear(&r->tally);
        pushes_clear(&r->pushes);
        (void)pthread_mutex_unlock(&r->lock);
    }
}

enum MHD_Result request_control(struct request *q)
{
    json_t *json = q->body.len == 0 ? NULL : json_loadb(q->body.data, q->body.len, 0, NULL);
    struct orders orders;
    bool understood = read_orders(json, &orders);

    if (understood) {
        obey(q->r, &orders);
    }
    json_decref(json);
    return understood ? request_answer(q, MHD_HTTP_OK, "{\"ok\": true}\n", NULL, NULL)
                      : request_answer(q, MHD_HTTP_BAD_REQUEST, EXPECTED, NULL, NULL);
}
