// How a program of known truth talks with the tests: one command a line on stdin, one JSON object a line on stdout.
//
//   go N       do N rounds of work             -> {"done":N}
//   books      say what is true                -> the program's own figures
//   comm NAME  take another comm               -> {"comm":"NAME"}
//   exec PATH  exec PATH with the same args    -> {"ready":PID} of the new image
//   quit       exit with code 0
//
// The first line is {"ready":PID}. At the end of input the program exits, so that it never outlives its test.
// Nothing here allocates, and between two commands the program does nothing at all: its live set is its own.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

// A function whose name is to stand in a stack: never inlined, never cloned under another name.
#define SITE __attribute__((noinline, noclone))

// Makes the compiler believe that a pointer is used here: no call is optimized out or turned into a jump.
#define KEEP(pointer) __asm__ volatile("" : "+r"(pointer)::"memory")

// A number that the compiler cannot see through, so that it neither warns of nor rewrites absurd sizes.
static inline size_t opaque(size_t number) {
    __asm__ volatile("" : "+r"(number));
    return number;
}

static struct {
    size_t length;
    bool comma;
    char bytes[16384];
} answer;

static inline void answer_text(const char *text) {
    size_t length = strlen(text);
    if (answer.length + length > sizeof answer.bytes) _exit(90);
    memcpy(answer.bytes + answer.length, text, length);
    answer.length += length;
}

static inline void answer_key(const char *key) {
    answer_text(answer.comma ? ",\"" : "\"");
    answer_text(key);
    answer_text("\":");
    answer.comma = true;
}

static inline void answer_number(const char *key, unsigned long long number) {
    char digits[24];
    size_t start = sizeof digits - 1;
    digits[start] = 0;
    do {
        digits[--start] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    answer_key(key);
    answer_text(digits + start);
}

// Plain ASCII only.
static inline void answer_string(const char *key, const char *text) {
    answer_key(key);
    answer_text("\"");
    answer_text(text);
    answer_text("\"");
}

// `key` is NULL for the outermost object.
static inline void answer_open(const char *key) {
    if (key != NULL) answer_key(key);
    answer_text("{");
    answer.comma = false;
}

static inline void answer_close(void) {
    answer_text("}");
    answer.comma = true;
}

static inline void answer_send(void) {
    answer_text("\n");
    for (size_t sent = 0; sent < answer.length;) {
        ssize_t written = write(STDOUT_FILENO, answer.bytes + sent, answer.length - sent);
        if (written <= 0) _exit(91);
        sent += (size_t)written;
    }
    answer.length = 0;
    answer.comma = false;
}

struct program {
    void (*go)(unsigned long rounds);
    // Writes the keys of the outermost object.
    void (*books)(void);
};

// One line without its end. At the end of input the program is over.
static inline void read_line(char *line, size_t capacity) {
    for (size_t length = 0; length + 1 < capacity; length++) {
        if (read(STDIN_FILENO, line + length, 1) != 1) _exit(0);
        if (line[length] == '\n') {
            line[length] = 0;
            return;
        }
    }
    _exit(92);
}

static inline unsigned long parse_number(const char *digits) {
    unsigned long number = 0;
    for (; *digits >= '0' && *digits <= '9'; digits++) number = number * 10 + (unsigned long)(*digits - '0');
    return number;
}

// Serves until told to quit; never returns.
__attribute__((noreturn)) static inline void serve(const struct program *program, char **argv) {
    static char line[4096];
    answer_open(NULL);
    answer_number("ready", (unsigned long long)getpid());
    answer_close();
    answer_send();
    for (;;) {
        read_line(line, sizeof line);
        answer_open(NULL);
        if (strncmp(line, "go ", 3) == 0) {
            program->go(parse_number(line + 3));
            answer_number("done", parse_number(line + 3));
        } else if (strcmp(line, "books") == 0) {
            program->books();
        } else if (strncmp(line, "comm ", 5) == 0) {
            prctl(PR_SET_NAME, line + 5, 0, 0, 0);
            answer_string("comm", line + 5);
        } else if (strncmp(line, "exec ", 5) == 0) {
            execv(line + 5, argv);
            _exit(93);
        } else if (strcmp(line, "quit") == 0) {
            _exit(0);
        } else {
            _exit(94);
        }
        answer_close();
        answer_send();
    }
}
