// A server that answers requests, and a client that notes how long each answer took.
//
//   server REQUESTS_A_SECOND
//
// The server is the child, and the one to be traced; the client speaks with the bench and sends at random (Poisson)
// times. A request that waits because the one before was slow counts from when it was due; otherwise from when it was
// sent, so that the client's own way out of sleep is not in the figure. A unit is a request; CPU time is the server's.
#include <sys/prctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "stretch.h"

namespace {

constexpr unsigned FIELDS = 24;

int channel;
pid_t server;
clockid_t server_cpu;
double requests_per_second = 4000;
uint64_t random_state = 0x9e3779b97f4a7c15;
std::vector<uint64_t> latencies_ns;

std::string answer_to(const std::string &request) {
    std::map<std::string, std::string> fields;
    for (size_t start = 0; start < request.size();) {
        size_t end = request.find('&', start);
        if (end == std::string::npos) end = request.size();
        size_t equals = request.find('=', start);
        if (equals < end) fields[request.substr(start, equals - start)] = request.substr(equals + 1, end - equals - 1);
        start = end + 1;
    }
    std::string reply;
    for (const auto &[name, value] : fields) reply += value + ";" + name + "\n";
    return reply;
}

// Ends when the client does.
[[noreturn]] void serve_requests() {
    char bytes[8192];
    for (;;) {
        ssize_t length = recv(channel, bytes, sizeof bytes, 0);
        if (length <= 0) _exit(0);
        std::string reply = answer_to(std::string(bytes, static_cast<size_t>(length)));
        if (send(channel, reply.data(), reply.size(), MSG_NOSIGNAL) < 0) _exit(0);
    }
}

double next_gap_ns() {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    double uniform = (static_cast<double>(random_state >> 11) + 1) / 9007199254740993.0;
    return -std::log(uniform) * 1e9 / requests_per_second;
}

std::string make_request() {
    std::string request;
    for (unsigned field = 0; field < FIELDS; field++) {
        request += "a_field_with_a_long_name_" + std::to_string(field) + "=and_a_value_that_does_not_fit_into_the_object&";
    }
    return request;
}

void sleep_until_ns(uint64_t time_ns) {
    struct timespec until = {static_cast<time_t>(time_ns / 1000000000), static_cast<long>(time_ns % 1000000000)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
}

void go(unsigned long milliseconds) {
    static const std::string request = make_request();
    static char reply[16384];
    latencies_ns.clear();
    uint64_t end_ns = stretch_begin(milliseconds, server_cpu);
    double due_ns = static_cast<double>(stretch.wall_ns);
    uint64_t now_ns = stretch.wall_ns;
    while (now_ns < end_ns) {
        due_ns += next_gap_ns();
        uint64_t start_ns = static_cast<uint64_t>(due_ns);
        if (start_ns > now_ns) {
            sleep_until_ns(start_ns);
            start_ns = clock_ns(CLOCK_MONOTONIC);
        }
        if (send(channel, request.data(), request.size(), 0) < 0 || recv(channel, reply, sizeof reply, 0) <= 0) _exit(96);
        now_ns = clock_ns(CLOCK_MONOTONIC);
        latencies_ns.push_back(now_ns - start_ns);
    }
    stretch_end(server_cpu);
    stretch.units = latencies_ns.size();
    std::sort(latencies_ns.begin(), latencies_ns.end());
}

uint64_t quantile_ns(double share) {
    if (latencies_ns.empty()) return 0;
    size_t rank = static_cast<size_t>(share * static_cast<double>(latencies_ns.size()));
    return latencies_ns[std::min(rank, latencies_ns.size() - 1)];
}

void books() {
    stretch_books();
    answer_number("target_pid", static_cast<unsigned long long>(server));
    answer_number("p50_ns", quantile_ns(0.5));
    answer_number("p99_ns", quantile_ns(0.99));
    answer_number("p999_ns", quantile_ns(0.999));
}

}  // namespace

int main(int argc, char **argv) {
    if (argc > 1) requests_per_second = static_cast<double>(parse_number(argv[1]));
    int ends[2];
    // Whole messages, so that neither side has to look for their ends.
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) != 0) return 96;
    server = fork();
    if (server < 0) return 96;
    channel = ends[server == 0 ? 1 : 0];
    close(ends[server == 0 ? 0 : 1]);
    if (server == 0) serve_requests();
    if (clock_getcpuclockid(server, &server_cpu) != 0) return 96;
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    latencies_ns.reserve(1 << 20);
    static const struct program program = {go, books};
    serve(&program, argv);
}
