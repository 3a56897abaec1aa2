#include "control/exporter/server.h"

#include <microhttpd.h>

#include <algorithm>
#include <string_view>

#include "policy/os/system_error.h"

namespace sallyport::exporter {
namespace {

constexpr unsigned kPatienceS = 10;
constexpr std::size_t kMemory = 16 * 1024;

MHD_Result send(MHD_Connection* connection, unsigned status, std::string_view text) {
  // The library copies; it does not change what it is given.
  MHD_Response* response = MHD_create_response_from_buffer(
      text.size(), const_cast<char*>(text.data()), MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) return MHD_NO;
  const char* type = status == MHD_HTTP_OK ? "text/plain; version=0.0.4; charset=utf-8"
                                           : "text/plain; charset=utf-8";
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
  const MHD_Result sent = MHD_queue_response(connection, status, response);
  MHD_destroy_response(response);
  return sent;
}

// Called once the headers are there. What is sent along with a request is not read: the answer ends
// the connection.
MHD_Result answer(void* page, MHD_Connection* connection, const char* url, const char* method,
                  const char* /*version*/, const char* /*upload*/, std::size_t* /*upload_size*/,
                  void** /*state*/) {
  const std::string_view word = method;
  if (word != MHD_HTTP_METHOD_GET && word != MHD_HTTP_METHOD_HEAD)
    return send(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET /metrics\n");
  if (std::string_view(url) != "/metrics")
    return send(connection, MHD_HTTP_NOT_FOUND, "GET /metrics\n");
  return send(connection, MHD_HTTP_OK, (*static_cast<HttpServer::Page*>(page))());
}

}  // namespace

void HttpServer::Stop::operator()(MHD_Daemon* daemon) const { MHD_stop_daemon(daemon); }

Result<HttpServer> HttpServer::serve(std::vector<os::UniqueFd> listeners, Page page) {
  HttpServer out;
  out.page_ = std::make_unique<Page>(std::move(page));
  for (os::UniqueFd& listener : listeners) {
    std::unique_ptr<MHD_Daemon, Stop> daemon(MHD_start_daemon(
        MHD_USE_EPOLL, 0, nullptr, nullptr, &answer, out.page_.get(), MHD_OPTION_LISTEN_SOCKET,
        listener.get(), MHD_OPTION_CONNECTION_LIMIT, kMostConnections,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, kMostOfOneAddress, MHD_OPTION_CONNECTION_TIMEOUT,
        kPatienceS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, kMemory, MHD_OPTION_END));
    if (daemon == nullptr) return fail(os::system_error("http", "the web server did not start"));
    listener.release();  // the library's now
    const MHD_DaemonInfo* info = MHD_get_daemon_info(daemon.get(), MHD_DAEMON_INFO_EPOLL_FD);
    if (info == nullptr || info->epoll_fd < 0)
      return fail(ErrorKind::kSystem, "http", "the web server has no epoll descriptor");
    out.wake_.push_back(info->epoll_fd);
    out.daemons_.push_back(std::move(daemon));
  }
  return out;
}

int HttpServer::wait_ms(int longest) const {
  for (const auto& daemon : daemons_) {
    MHD_UNSIGNED_LONG_LONG wanted = 0;
    if (MHD_get_timeout(daemon.get(), &wanted) == MHD_YES)
      longest =
          static_cast<int>(std::min<unsigned long long>(wanted, static_cast<unsigned>(longest)));
  }
  return longest;
}

void HttpServer::run() {
  for (const auto& daemon : daemons_) MHD_run(daemon.get());
}

}  // namespace sallyport::exporter
