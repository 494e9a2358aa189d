/* SPDX-License-Identifier: Apache-2.0 */
/* Schemas with every type and with two versions. */
#include "zoo.h"

#include <string.h>

#include "base/mem.h"

#define HASH "0000000000000000000000000000000000000000000000000000000000000000"

static const char ZOO[] =
    "{\"type\":\"record\",\"name\":\"zoo\",\"namespace\":\"a.b\",\"fields\":["
    "{\"name\":\"flag\",\"type\":\"boolean\"},"
    "{\"name\":\"small\",\"type\":\"int\"},"
    "{\"name\":\"large\",\"type\":\"long\"},"
    "{\"name\":\"single\",\"type\":\"float\"},"
    "{\"name\":\"real\",\"type\":\"double\"},"
    "{\"name\":\"raw\",\"type\":\"bytes\"},"
    "{\"name\":\"text\",\"type\":\"string\"},"
    "{\"name\":\"none\",\"type\":\"null\"},"
    "{\"name\":\"color\",\"type\":{\"type\":\"enum\",\"name\":\"color\",\"symbols\":[\"red\",\"green\"]}},"
    "{\"name\":\"four\",\"type\":{\"type\":\"fixed\",\"name\":\"four\",\"size\":4}},"
    "{\"name\":\"list\",\"type\":{\"type\":\"array\",\"items\":[\"string\",\"null\"]}},"
    "{\"name\":\"dict\",\"type\":{\"type\":\"map\",\"values\":\"long\"}},"
    "{\"name\":\"inner\",\"type\":{\"type\":\"record\",\"name\":\"inner\",\"fields\":["
    "  "
    "{\"name\":\"color\",\"type\":\"a.b.color\"},{\"name\":\"maybe\",\"type\":[\"null\",\"long\"],\"default\":null}]}},"
    "{\"name\":\"inners\",\"type\":{\"type\":\"array\",\"items\":\"inner\"}},"
    "{\"name\":\"maybe\",\"type\":[\"null\",\"inner\"],\"default\":null},"
    "{\"name\":\"preset\",\"type\":\"string\",\"default\":\"as ever\"}"
    "]}";

const char ZOO_JSON[] =
    "{\"flag\":true,\"small\":-2147483648,\"large\":9223372036854775807,\"single\":0.5,\"real\":-2.25,"
    "\"raw\":\"\\u0000\\u00ffA\",\"text\":\"gr\xc3\xbc\xc3\x9f\",\"none\":null,\"color\":\"green\","
    "\"four\":\"abcd\",\"list\":[\"x\",null,\"\"],\"dict\":{\"k\":-1,\"l\":2},"
    "\"inner\":{\"color\":\"red\",\"maybe\":7},\"inners\":[{\"color\":\"green\",\"maybe\":null}],"
    "\"maybe\":{\"color\":\"red\",\"maybe\":null},\"preset\":\"as ever\"}";

static const char NOTE_1[] = "{\"type\":\"record\",\"name\":\"note\",\"fields\":["
                             "{\"name\":\"gone\",\"type\":\"string\"},"
                             "{\"name\":\"id\",\"type\":\"string\"},"
                             "{\"name\":\"n\",\"type\":\"int\"},"
                             "{\"name\":\"x\",\"type\":\"int\"}]}";

static const char NOTE_2[] =
    "{\"type\":\"record\",\"name\":\"note\",\"fields\":["
    "{\"name\":\"id\",\"type\":[\"null\",\"string\"],\"default\":null},"
    "{\"name\":\"n\",\"type\":\"long\"},"
    "{\"name\":\"x\",\"type\":\"double\"},"
    "{\"name\":\"added\",\"type\":\"string\",\"default\":\"fresh\"},"
    "{\"name\":\"count\",\"type\":\"int\",\"default\":5},"
    "{\"name\":\"flag\",\"type\":\"boolean\",\"default\":true},"
    "{\"name\":\"kind\",\"type\":{\"type\":\"enum\",\"name\":\"k\",\"symbols\":[\"a\",\"b\"]},\"default\":\"b\"},"
    "{\"name\":\"maybe\",\"type\":[\"null\",\"string\"],\"default\":null}]}";

static const char ZOO_IDS[] = "{\"zoo\":[{\"version\":1,\"id\":7,\"sha256\":\"" HASH "\"}],"
                              "\"note\":[{\"version\":1,\"id\":8,\"sha256\":\"" HASH "\"},"
                              "{\"version\":2,\"id\":9,\"sha256\":\"" HASH "\"}]}";

static const char OLD_NOTE_IDS[] = "{\"note\":[{\"version\":1,\"id\":8,\"sha256\":\"" HASH "\"}]}";

enum rc zoo_create(struct avro_set **out_set, struct err *err)
{
    const struct avro_file files[] = {
        {"note.avsc", NOTE_2, strlen(NOTE_2)},
        {"note.v1.avsc", NOTE_1, strlen(NOTE_1)},
        {"zoo.avsc", ZOO, strlen(ZOO)},
    };
    return avro_set_create(files, ARRAY_SIZE(files), ZOO_IDS, strlen(ZOO_IDS), out_set, err);
}

enum rc zoo_create_old_note(struct avro_set **out_set, struct err *err)
{
    const struct avro_file file = {"note.avsc", NOTE_1, strlen(NOTE_1)};
    return avro_set_create(&file, 1, OLD_NOTE_IDS, strlen(OLD_NOTE_IDS), out_set, err);
}
