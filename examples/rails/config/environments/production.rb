Rails.application.configure do
  # The health check and the proxy reach the app by other names than the public one.
  config.hosts.clear
end
