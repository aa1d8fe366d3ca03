#include "metrics.h"

#include <numeric>
#include <string_view>

namespace echo {

namespace {

std::uint64_t valueOf(const LoopMetrics::Number& number) { return number.load(std::memory_order_relaxed); }

struct Family {
    std::string_view name;
    std::string_view type;
    std::string_view help;
    LoopMetrics::Number LoopMetrics::*number;
};

constexpr std::array families{
    Family{"connections_total", "counter", "Connections that were accepted.", &LoopMetrics::connections},
    Family{"connections", "gauge", "Connections that are open.", &LoopMetrics::openConnections},
    Family{"received_bytes_total", "counter", "Bytes that clients sent.", &LoopMetrics::receivedBytes},
    Family{"sent_bytes_total", "counter", "Bytes that were sent back.", &LoopMetrics::sentBytes},
    Family{"queued_bytes", "gauge", "Bytes that wait to be sent back.", &LoopMetrics::queuedBytes},
    Family{"refused_clients_total", "counter",
           "Clients that were turned away: too many of one address, or no PROXY protocol header that is trusted.",
           &LoopMetrics::refusedClients},
    Family{"accept_errors_total", "counter", "Times that accepting paused for lack of descriptors or memory.",
           &LoopMetrics::acceptErrors},
    Family{"accept_pauses_total", "counter", "Times that accepting paused because there were too many clients.",
           &LoopMetrics::fullPauses},
};

void begin(std::string& page, std::string_view name, std::string_view type, std::string_view help) {
    page.append("# HELP halyard_echo_").append(name).append(" ").append(help);
    page.append("\n# TYPE halyard_echo_").append(name).append(" ").append(type).append("\n");
}

void sample(std::string& page, std::string_view name, const std::string& labels, const std::string& value) {
    page.append("halyard_echo_").append(name).append("{").append(labels).append("} ").append(value).append("\n");
}

std::string loopLabel(std::size_t loop) { return "loop=\"" + std::to_string(loop) + '"'; }

} // namespace

std::uint64_t Metrics::sum(LoopMetrics::Number LoopMetrics::*number) const {
    return std::accumulate(loops_.begin(), loops_.end(), std::uint64_t{0},
                           [number](std::uint64_t so, const LoopMetrics& each) { return so + valueOf(each.*number); });
}

std::string Metrics::text() const {
    std::string page;
    for (const Family& family : families) {
        begin(page, family.name, family.type, family.help);
        for (std::size_t loop = 0; loop != loops_.size(); ++loop)
            sample(page, family.name, loopLabel(loop), std::to_string(valueOf(loops_[loop].*family.number)));
    }
    begin(page, "loop_lag_seconds", "gauge", "How late the loop came to its last heartbeat.");
    for (std::size_t loop = 0; loop != loops_.size(); ++loop)
        sample(page, "loop_lag_seconds", loopLabel(loop),
               std::to_string(static_cast<double>(valueOf(loops_[loop].lagNanoseconds)) / 1e9));
    begin(page, "errors_total", "counter", "Connections that ended by an error, by its kind.");
    for (std::size_t loop = 0; loop != loops_.size(); ++loop)
        for (std::size_t kind = 1; kind != loops_[loop].errors.size(); ++kind) {
            std::string labels = loopLabel(loop) + ",kind=\"";
            labels.append(nameOf(static_cast<halyard::SocketError>(kind))).push_back('"');
            sample(page, "errors_total", labels, std::to_string(valueOf(loops_[loop].errors[kind])));
        }
    return page;
}

} // namespace echo
