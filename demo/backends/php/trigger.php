<?php
// trigger.php <channel> <event> <data as JSON>: a push from PHP, with nothing but what PHP brings.
// TUTTI_URL is where the Tutti server is, TUTTI_APP its app as id:key:secret.
function trigger(string $channel, string $event, string $data): string
{
    [$id, $key, $secret] = explode(':', getenv('TUTTI_APP') ?: '1:app-key:app-secret');
    $body = json_encode(['name' => $event, 'channel' => $channel, 'data' => $data]);
    $query = http_build_query([
        'auth_key' => $key,
        'auth_timestamp' => time(),
        'auth_version' => '1.0',
        'body_md5' => md5($body),
    ]);
    $path = "/apps/$id/events";
    $signature = hash_hmac('sha256', "POST\n$path\n$query", $secret);
    $context = stream_context_create(['http' => [
        'method' => 'POST', 'header' => 'Content-Type: application/json', 'content' => $body, 'ignore_errors' => true,
    ]]);
    $url = getenv('TUTTI_URL') ?: 'http://127.0.0.1:1234';
    return file_get_contents("$url$path?$query&auth_signature=$signature", false, $context);
}

echo trigger($argv[1], $argv[2], $argv[3]), "\n";
