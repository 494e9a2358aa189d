/* SPDX-License-Identifier: Apache-2.0 */
/* A first key, where nobody has made one: complete, on the disk, and never in the place of another. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "crypto/aes_gcm.h"
#include "crypto/base64.h"
#include "crypto/sha256.h"
#include "gateway/raw_keys.h"

#define NAME "raw.keys"
#define ID_BYTES 6 /* random, so that keys that two machines make have different ids */

char *raw_keys_beside(const char *accounts)
{
    const char *slash = strrchr(accounts, '/');
    return slash == NULL ? xstrdup(NAME) : xasprintf("%.*s/" NAME, (int)(slash - accounts), accounts);
}

/* "KEY_ID BASE64\n" */
static void make_line(char *out, size_t size)
{
    unsigned char id[ID_BYTES];
    unsigned char key[AES_GCM_KEY_BYTES];
    char id_text[2 * ID_BYTES + 1];
    char key_text[BASE64_LENGTH(AES_GCM_KEY_BYTES) + 1];
    if (RAND_bytes(id, sizeof id) != 1 || RAND_bytes(key, sizeof key) != 1) {
        abort(); /* no randomness: nothing here can be kept secret */
    }
    sha256_hex(id, sizeof id, id_text);
    base64_encode(key, sizeof key, key_text);
    (void)snprintf(out, size, "k-%s %s\n", id_text, key_text);
    OPENSSL_cleanse(key, sizeof key);
    OPENSSL_cleanse(key_text, sizeof key_text);
}

static bool write_line(int fd)
{
    char line[RAW_KEY_ID_MAX + BASE64_LENGTH(AES_GCM_KEY_BYTES) + 4];
    make_line(line, sizeof line);
    bool good = write(fd, line, strlen(line)) == (ssize_t)strlen(line) && fsync(fd) == 0;
    OPENSSL_cleanse(line, sizeof line);
    return good;
}

static bool sync_directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    CLEANUP(freep) char *directory = slash == NULL ? xstrdup(".") : xstrndup(path, (size_t)(slash - path) + 1);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return good;
}

enum rc raw_keys_make(const char *path, bool *out_made, struct err *err)
{
    *out_made = false;
    if (access(path, F_OK) == 0) {
        return RC_OK;
    }
    CLEANUP(freep) char *fresh = xasprintf("%s.XXXXXX", path);
    int fd = mkostemp(fresh, O_CLOEXEC);
    bool good = fd >= 0 && write_line(fd);
    int why = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (good && link(fresh, path) == 0) {
        *out_made = true;
    } else if (good && errno != EEXIST) { /* another instance was first */
        why = errno;
        good = false;
    }
    if (fd >= 0) {
        (void)unlink(fresh);
    }
    if (!good || !sync_directory_of(path)) {
        (void)err_set(err, RC_FATAL, __FILE__, __LINE__, "%s: cannot be made: %s", path,
                      good ? "its directory cannot be written to the disk" : strerror(why));
        return err_code(err, ERR_CONFIG);
    }
    return RC_OK;
}
