"""What an nginx is told: a location for each way to set it up."""

HTTP = """    default_type text/html;
    server {{
        listen 127.0.0.1:{port};
        location /right/ {{
            proxy_pass {url}/;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
        }}
        location /default/ {{
            proxy_pass {url}/;
        }}
        location /without-host/ {{
            proxy_pass {url}/;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
        }}
        location /another-host/ {{
            proxy_pass {url}/;
            proxy_set_header Host stranger.example;
        }}
        location /compressing/ {{
            gzip on;
            gzip_types text/event-stream;
            proxy_pass {url}/;
        }}
        location /ignorant/ {{
            gzip on;
            gzip_types text/event-stream;
            proxy_pass {url}/;
            proxy_ignore_headers X-Accel-Buffering;
        }}
        location /caching/ {{
            proxy_pass {url}/;
            proxy_hide_header Cache-Control;
            add_header Cache-Control "public, max-age=60";
        }}
        location /aged/ {{
            proxy_pass {url}/;
            add_header Age 10;
        }}
        location /refusing/ {{
            default_type text/event-stream;
            return 200 'event: stream-error\ndata: {{"text":"Not now."}}\n\n';
        }}
        location /strange/ {{
            default_type text/event-stream;
            return 200 'data: 1\n\nevent: hello\ndata: {{}}\n\n';
        }}
        location /empty/ {{
            default_type text/event-stream;
            return 200 "";
        }}
        location /garbled/ {{
            default_type text/event-stream;
            add_header Content-Encoding gzip;
            return 200 "event";
        }}
        location /moved/ {{
            return 301 /right$request_uri;
        }}
        location /page/ {{
            return 200 "<h1>Soon</h1>";
        }}
        location /down/ {{
            return 502;
        }}
    }}
"""
