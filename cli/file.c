/* SPDX-License-Identifier: Apache-2.0 */
/* Reads files whole, up to a ceiling. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define PIECE_BYTES 16384

enum rc file_read(const char *path, struct buf *out, struct err *err)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    char piece[PIECE_BYTES];
    ssize_t n = fd < 0 ? -1 : read(fd, piece, sizeof piece);
    for (; n > 0 || (n < 0 && errno == EINTR); n = read(fd, piece, sizeof piece)) {
        if (n > 0 && !buf_add(out, piece, (size_t)n)) {
            break;
        }
    }
    int why = errno;
    if (fd >= 0 && !is_stdin) {
        (void)close(fd);
    }
    explicit_bzero(piece, sizeof piece);
    if (out->overflow) {
        FAIL(err, RC_FATAL, "%s has more than %zu bytes", path, out->max);
    }
    if (n < 0) {
        FAIL(err, RC_FATAL, "%s: %s", path, strerror(why));
    }
    return RC_OK;
}
