// Runs a program as a container runtime does: in mount and pid namespaces of its own, with a root of its own.
//
//   contain HOME LOWER USER PROGRAM ARGS...
//
// LOWER empty: the root is HOME. Else the root is an overlay on LOWER whose other parts are below HOME, and LOWER is
// seen in it once more, directly, at /lower. USER `user`: in a user namespace as well.
//
// First says {"contained":PID}, PID as the outside knows it; what follows on stdout is the program's own. Ends as the
// program does. The program ends when this one is killed.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void check(int result, const char *what) {
    if (result >= 0) return;
    perror(what);
    exit(80);
}

static void write_file(const char *path, const char *text) {
    int file = open(path, O_WRONLY);
    check(file, path);
    check((int)write(file, text, strlen(text)), path);
    close(file);
}

static void enter_user_namespace(void) {
    check(unshare(CLONE_NEWUSER), "unshare user");
    write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/uid_map", "0 0 1");
    write_file("/proc/self/gid_map", "0 0 1");
}

static void enter_directory(const char *home, const char *lower) {
    check(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), "make mounts private");
    check(chdir(home), home);
    if (*lower == 0) {
        check(mount(".", ".", NULL, MS_BIND, NULL), "bind");
        check(chdir(home), home);
        return;
    }
    static const char *const PARTS[] = {"upper", "work", "root"};
    for (size_t part = 0; part < sizeof PARTS / sizeof *PARTS; part++) check(mkdir(PARTS[part], 0755), PARTS[part]);
    char options[8192];
    snprintf(options, sizeof options, "lowerdir=%s,upperdir=upper,workdir=work", lower);
    check(mount("overlay", "root", "overlay", 0, options), "mount overlay");
    check(chdir("root"), "root");
    check(mkdir("lower", 0755), "lower");
    check(mount(lower, "lower", NULL, MS_BIND, NULL), "bind lower");
}

static void run_inside(int released, int is_user_namespace, char **argv) {
    char byte;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (read(released, &byte, 1) != 1) exit(81);
    close(released);
    check((int)syscall(SYS_pivot_root, ".", "."), "pivot_root");
    check(umount2(".", MNT_DETACH), "umount");
    check(chdir("/"), "/");
    mkdir("/proc", 0755);
    // In a user namespace the kernel refuses it where this machine's own /proc is partly hidden; nobody here needs it.
    int mounted = mount("proc", "/proc", "proc", 0, NULL);
    if (!is_user_namespace) check(mounted, "mount proc");
    execv(argv[0], argv);
    check(-1, argv[0]);
}

int main(int argc, char **argv) {
    if (argc < 5) return 82;
    int is_user_namespace = strcmp(argv[3], "user") == 0;
    if (is_user_namespace) enter_user_namespace();
    check(unshare(CLONE_NEWNS | CLONE_NEWPID), "unshare");
    enter_directory(argv[1], argv[2]);
    int release[2];
    check(pipe(release), "pipe");
    pid_t child = fork();
    check(child, "fork");
    if (child == 0) {
        close(release[1]);
        run_inside(release[0], is_user_namespace, argv + 4);
    }
    printf("{\"contained\":%d}\n", (int)child);
    fflush(stdout);
    check((int)write(release[1], "", 1), "release");
    int status;
    check(waitpid(child, &status, 0), "waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 83;
}
